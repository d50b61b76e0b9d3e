"""Every kind runs with exactly the policy that it declares, and names the right that it lacks."""

from __future__ import annotations

import importlib.util
import sys
import time
from pathlib import Path

import pytest

from config.settings import Settings
from connectors.rotation.catalogue import handler_types, handlers
from connectors.rotation.handler import COMMON, stanzas
from connectors.vault.capabilities import right
from playbooks.ports import StepContext, StepFailedError
from playbooks.target import TargetRef

pytestmark = pytest.mark.integration
HERE = Path(__file__).parent


def tool(name: str):
    """Load a module that lies beside this file."""
    spec = importlib.util.spec_from_file_location(name, HERE / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


tool("kubernetes_logins")
cases = tool("rotation_cases")


def dry_run(scene, case, settings):
    """Return the lines of a dry run with `settings`. Raises StepFailedError."""
    meant = case.meant
    ref = TargetRef(meant.kind, meant.mount, meant.name, "internal", "data")
    handler = handlers(scene.tools(settings))[meant.kind]
    return handler.dry_run(StepContext(ref, "action", "contain", 1, time.time))


@pytest.mark.parametrize("kind", list(cases.CASES))
def test_a_dry_run_says_what_would_die_and_kills_nothing(scene, kind):
    case = cases.CASES[kind](scene)
    lines = dry_run(scene, case, scene.settings(case.target))
    assert lines
    assert case.stolen not in str(lines)
    assert case.still_works()


@pytest.mark.parametrize("kind", list(cases.CASES))
def test_each_missing_right_is_named_before_anything_is_done(scene, kind):
    case = cases.CASES[kind](scene)
    lines = stanzas(handler_types()[case.target.kind].permissions, case.target, Settings())
    for line in [line for line in lines if line not in COMMON]:
        path, capabilities = right(line)
        with pytest.raises(StepFailedError) as error:
            dry_run(scene, case, scene.settings(case.target, without=line))
        for capability in capabilities:
            assert f"{capability} on {path}" in error.value.reason
        assert not error.value.retry
    assert case.still_works()
