"""The GitOps deploy key is only ever proposed, with a runbook that can be pasted."""

from __future__ import annotations

import shlex
import time

import pytest
from pydantic import ValidationError

from connectors.rotation.git_deploy_key import GitDeployKey, GitDeployKeyTarget, runbook
from playbooks.ports import StepContext, StepFailedError
from playbooks.target import TargetRef

TARGET = GitDeployKeyTarget(
    name="fleet", secret="fleet-key", url="ssh://git@git.example/platform/fleet", owner="platform"
)


def context() -> StepContext:
    ref = TargetRef("git_deploy_key", TARGET.mount, TARGET.name, "restricted", "platform")
    return StepContext(target=ref, action_id="a", mode="contain", attempt=1, now=time.time)


def test_nothing_is_done_by_itself():
    handler = GitDeployKey({TARGET.key: TARGET})
    (step,) = handler.steps(context().target)
    assert step.effect is None
    with pytest.raises(StepFailedError, match="proposed only, by hand") as error:
        handler.call(step, context())
    assert not error.value.retry
    with pytest.raises(StepFailedError):
        handler.undo(step, context())


def test_the_runbook_names_source_secret_and_repository():
    lines = GitDeployKey({TARGET.key: TARGET}).dry_run(context())
    text = "\n".join(lines)
    assert "flux suspend source git fleet -n flux-system" in text
    assert (
        "flux create secret git fleet-key -n flux-system --url=ssh://git@git.example/platform/fleet" in text
    )
    assert "jsonpath='{.data.identity\\.pub}'" in text
    assert "-T git@git.example" in text
    assert text.index("suspend") < text.index("create secret") < text.index("resume")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "x; rm -rf /"),
        ("name", "$(id)"),
        ("secret", "a b"),
        ("mount", "flux-system --context=other"),
        ("url", "ssh://git@host/$(id)"),
        ("url", "https://token@git.example/x"),
        ("url", "ssh://git@host/a\nrm"),
        ("keys_page", "javascript:alert(1)"),
    ],
)
def test_what_a_shell_would_read_is_refused(field: str, value: str):
    with pytest.raises(ValidationError):
        GitDeployKeyTarget.model_validate({**TARGET.model_dump(), field: value})


def test_every_command_is_one_that_a_shell_can_read():
    for line in runbook(TARGET):
        command = line.partition(": ")[2]
        if command.startswith(("flux", "kubectl", "ssh")):
            assert shlex.split(command)
