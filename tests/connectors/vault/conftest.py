"""The servers of the rotation tests."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

_PATH = Path(__file__).parents[1] / "rotation" / "conftest.py"
_spec = importlib.util.spec_from_file_location("davylamp_rotation_scene", _PATH)
assert _spec is not None and _spec.loader is not None
_rotation = importlib.util.module_from_spec(_spec)
sys.modules[_spec.name] = _rotation
_spec.loader.exec_module(_rotation)
scene = _rotation.scene
own_scene = _rotation.own_scene
