"""A real vault over a real PostgreSQL, and a desk: those of the rotation tests."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

_PATH = Path(__file__).parents[2] / "daemon" / "respond" / "conftest.py"
_spec = importlib.util.spec_from_file_location("davylamp_orderly_desk", _PATH)
assert _spec is not None and _spec.loader is not None
_desk = importlib.util.module_from_spec(_spec)
sys.modules[_spec.name] = _desk
_spec.loader.exec_module(_desk)
scene = _desk.scene
desk = _desk.desk
told = _desk.told
worker_for = _desk.worker_for
