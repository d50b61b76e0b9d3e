"""What the rotations of a service account's tokens share: the API server, its rights, its word as a check."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from pydantic import Field

from connectors.kubernetes.client import KubernetesClient
from connectors.kubernetes.cluster import Cluster, client_of
from connectors.kubernetes.permission import Permission
from connectors.kubernetes.protected import Protected
from connectors.kubernetes.step_failure import KUBERNETES, at_kubernetes
from connectors.rotation.handler import VaultHandler, VaultTarget, Work
from connectors.rotation.kubernetes_refusal import OBSERVER
from connectors.rotation.tools import Tools
from playbooks.ports import StepContext, StepFailedError, StepResult
from playbooks.proof import Check, CheckName


class KubernetesTarget(VaultTarget):
    """An object of a cluster: `mount` is the namespace, `name` the object."""

    mount: str = Field(default="default", pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")
    name: str = Field(pattern=r"^[a-z0-9]([a-z0-9.-]{0,126}[a-z0-9])?$")
    cluster: Cluster = Cluster()


T = TypeVar("T", bound=KubernetesTarget)


class KubernetesHandler(VaultHandler[T]):
    """A rotation at the API server whose old token waits for its proof as ciphertext of the vault."""

    permissions: tuple[str, ...] = (
        'path "$escrow_mount/encrypt/$escrow_key" { capabilities = ["update"] }',
        'path "$escrow_mount/decrypt/$escrow_key" { capabilities = ["update"] }',
    )
    services: tuple[str, ...] = ("vault", KUBERNETES)

    def __init__(
        self,
        targets: Mapping[str, T],
        tools: Tools,
        connect: Callable[[Cluster], KubernetesClient] = client_of,
    ) -> None:
        super().__init__(targets, tools)
        self._connect = connect
        self._clients: dict[str, KubernetesClient] = {}

    @abstractmethod
    def at_server(self) -> Mapping[str, Work[T]]:
        """Return step name -> what does it; errors of the API server may escape."""
        ...

    @abstractmethod
    def rights(self, target: T) -> Sequence[Permission]:
        """Return exactly the rights that this needs at the API server."""
        ...

    def works(self) -> Mapping[str, Work[T]]:
        """Return step name -> what does it."""
        return {name: _through(work) for name, work in self.at_server().items()}

    def fit(self, target: T, account: str) -> None:
        """Raise StepFailedError for an account that is never rotated, and for a right that is missing."""
        why = Protected().why_account(target.mount, account)
        if why is not None:
            raise StepFailedError(f"never rotated: {why}", retry=False)
        lacking = at_kubernetes(lambda: self.server(target).missing(self.rights(target)))
        if lacking:
            raise StepFailedError(f"the API server lets us not: {'; '.join(map(str, lacking))}", retry=False)

    def server(self, target: T) -> KubernetesClient:
        """Return the client of the target's cluster."""
        found = self._clients.get(target.key)
        if found is None:
            found = self._clients[target.key] = self._connect(target.cluster)
        return found


def reviewed(
    name: CheckName, passed: bool, tries: int, first: float, context: StepContext, code: str
) -> Check:
    """Return a check by the API server's word."""
    return Check(name, passed, tries, first, context.now(), OBSERVER, code)


def _through(work: Work[T]) -> Work[T]:
    def through(target: T, context: StepContext) -> StepResult:
        return at_kubernetes(lambda: work(target, context))

    return through
