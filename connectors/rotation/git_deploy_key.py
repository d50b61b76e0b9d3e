"""The deploy key of a GitOps source (Flux): proposed only, with a runbook that is filled in.

Who holds this key can write what the whole cluster becomes, and a rotation that goes wrong halfway leaves the
cluster without its source. So nothing here changes anything: people do, with these commands, and both keys'
fingerprints in front of them. Sources: Flux, "Git repositories" (secretRef) and "flux create secret git".
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

from pydantic import ConfigDict, Field

from config.response import Target as AnyTarget
from connectors.rotation.tools import Tools
from playbooks.ports import Observation, StepContext, StepFailedError, StepResult, StepSpec
from playbooks.proof import Grade
from playbooks.target import TargetRef

_NAME: Final = r"^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$"


class GitDeployKeyTarget(AnyTarget):
    """`mount` is the namespace, `name` the GitRepository. `url` is the repository's ssh:// address."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    kind: str = "git_deploy_key"
    mount: str = Field(default="flux-system", pattern=_NAME)
    name: str = Field(default="flux-system", pattern=_NAME)
    secret: str = Field(default="flux-system", pattern=_NAME)
    url: str = Field(pattern=r"^ssh://[A-Za-z0-9._@:/~-]{1,300}$")
    keys_page: str = Field(default="", pattern=r"^$|^https://[^\s]{1,300}$")


Target = GitDeployKeyTarget


class GitDeployKey:
    """Implements `playbooks.ports.RotationHandler` for kind `git_deploy_key`, without a step that acts."""

    kind: str = "git_deploy_key"
    permissions: tuple[str, ...] = ()
    example: str = "{kind: git_deploy_key, url: ssh://git@git.example/platform/fleet, owner: platform}"
    best_grade: Grade = "C"
    irreversible: str = ""
    services: tuple[str, ...] = ()
    TARGET = GitDeployKeyTarget
    STEPS: ClassVar[tuple[StepSpec, ...]] = (
        StepSpec("by_hand", None, False, deadline_s=60, timeout_s=5, max_attempts=1, milestone="contained"),
    )

    def __init__(self, targets: Mapping[str, Target]) -> None:
        self._targets = targets

    @classmethod
    def from_settings(cls, tools: Tools) -> GitDeployKey:
        """Return the handler of all targets of this kind."""
        targets = tools.settings.response.targets
        return cls({target.key: target for target in targets if isinstance(target, GitDeployKeyTarget)})

    def steps(self, target: TargetRef) -> Sequence[StepSpec]:
        """Return the one step, which people do."""
        return self.STEPS

    def precheck(self, step: StepSpec, context: StepContext) -> None:
        """Raise StepFailedError when the target is no longer configured."""
        self._target(context)

    def dry_run(self, context: StepContext) -> Sequence[str]:
        """Return the runbook, filled in. Raises StepFailedError."""
        return runbook(self._target(context))

    def call(self, step: StepSpec, context: StepContext) -> StepResult:
        """Raise StepFailedError: nothing is ever done by itself; a person must look."""
        first = runbook(self._target(context))[0]
        raise StepFailedError(f"proposed only, by hand: {first}", retry=False)

    def observe(self, step: StepSpec, context: StepContext) -> Observation:
        """Say "not_done": nobody can see from here what people did."""
        return "not_done"

    def undo(self, step: StepSpec, context: StepContext) -> StepResult:
        """Raise StepFailedError: there is nothing that we did."""
        raise StepFailedError("nothing was done that could be taken back", retry=False)

    def _target(self, context: StepContext) -> Target:
        found = self._targets.get(context.target.base_key)
        if found is None:
            raise StepFailedError("the target is no longer configured", retry=False)
        return found


def runbook(target: Target) -> tuple[str, ...]:
    """Return the lines that people follow, with every value quoted for a shell."""
    space, source, secret = (shlex.quote(text) for text in (target.mount, target.name, target.secret))
    url, page = shlex.quote(target.url), target.keys_page or "the repository's page of deploy keys"
    fingerprint = "ssh-keygen -lf /dev/stdin"
    return (
        f"Two people. Stop the source first: flux suspend source git {source} -n {space}",
        f"Note the old key: kubectl get secret {secret} -n {space} -o jsonpath='{{.data.identity\\.pub}}' "
        f"| base64 -d | {fingerprint}",
        f"Keep it for the proof, mode 600, and delete it at the end: kubectl get secret {secret} -n {space} "
        "-o jsonpath='{.data.identity}' | base64 -d > OLD-KEY",
        f"Compare the source's commit with the last known good one: flux get sources git {source} -n {space}",
        f"Make the new key in its place: flux create secret git {secret} -n {space} --url={url} "
        "--ssh-key-algorithm=ed25519",
        f"Add the printed public key at {page}, read-only unless image automation writes",
        f"Delete the old key there, by the fingerprint noted above: {page}",
        f"Go on: flux resume source git {source} -n {space} "
        f"&& flux reconcile source git {source} -n {space} --timeout=2m",
        "Proof: the source is Ready at the known good commit, and the old key is refused: "
        f"ssh -i OLD-KEY -o IdentitiesOnly=yes -T {shlex.quote(_login(target.url))}",
        f"If the source stays not ready: flux suspend source git {source} -n {space} again; "
        "the cluster keeps what it runs",
    )


def _login(url: str) -> str:
    return url.removeprefix("ssh://").partition("/")[0]


HANDLER: Final = GitDeployKey
