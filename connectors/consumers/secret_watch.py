"""Who has a secret of the vault's KV engine: pods with the Secret synced from it, and the inventory.

What the vault's log tells of a reader counts as well, once a finding says it: a first read after the new
version was written has it, an earlier one has the old.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from config.consumers import ConsumerEntry
from connectors.consumers.clusters import Clusters
from connectors.consumers.secret_mounts import mounts_seen
from connectors.kubernetes.step_failure import at_kubernetes
from connectors.rotation.kv_consumers import SyncedSecret
from connectors.rotation.tools import Tools
from connectors.vault.secret_text import SecretText
from playbooks.consumers import Sighting
from playbooks.convergence import Convergence
from playbooks.ports import StepContext


class Distributed(Protocol):
    """A target that consumers read from the vault, or from a Secret synced from it."""

    @property
    def named_as(self) -> tuple[tuple[str, str], ...]:
        """The entities (type, id) that the vault's log calls it by."""
        ...

    @property
    def synced(self) -> SyncedSecret | None:
        """The Kubernetes Secret, if there is one."""
        ...


class SecretWatch:
    """Looks at the consumers of KV secrets. Methods raise StepFailedError."""

    def __init__(self, tools: Tools) -> None:
        self._watch = tools.consumers
        self._learned_s = tools.settings.response.consumers.learned_s
        self.clusters = Clusters()

    def inventory(self, context: StepContext) -> Sequence[ConsumerEntry]:
        """Return the consumers that the operator wrote down."""
        return self._watch.inventory(context.target) if self._watch is not None else ()

    def seen(
        self, context: StepContext, target: Distributed, new: SecretText | None, since: float | None
    ) -> list[Sighting]:
        """Return who was seen; `new` is the value written at `since` (seconds, UTC), None before that."""
        now = context.now()
        seen = self._readers(target, (since or now) - self._learned_s, since)
        synced = target.synced
        if synced is not None:
            server = self.clusters.client(synced.cluster)
            seen += at_kubernetes(lambda: mounts_seen(server, synced, new, since or now, now))
        return seen

    def now(
        self, context: StepContext, target: Distributed, new: SecretText | None, since: float | None
    ) -> Convergence:
        """Return what one look shows."""
        found, now = Convergence(), context.now()
        seen = self.seen(context, target, new, since)
        found.look(seen, self.inventory(context), since=since or now, now=now, window_s=0)
        return found

    def _readers(self, target: Distributed, learned: float, since: float | None) -> list[Sighting]:
        if self._watch is None:
            return []
        seen = [one for name in target.named_as for one in self._watch.reads(name, "old", learned)]
        return [replace(one, side="new") if since is not None and one.at >= since else one for one in seen]
