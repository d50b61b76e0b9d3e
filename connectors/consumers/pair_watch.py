"""Who is on which half of a pair of database logins: sessions, readers of the vault, pods with the Secret."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from config.consumers import ConsumerEntry
from connectors.consumers.clusters import Clusters
from connectors.consumers.database_sessions import sessions_seen
from connectors.consumers.secret_mounts import mounts_seen
from connectors.kubernetes.step_failure import at_kubernetes
from connectors.rotation.kv_consumers import SyncedSecret
from connectors.rotation.sessions import Observer
from connectors.rotation.tools import Tools
from connectors.vault.secret_text import SecretText
from playbooks.consumers import Sighting
from playbooks.convergence import Convergence
from playbooks.ports import StepContext


@dataclass(frozen=True, slots=True)
class Pair:
    """The half that consumers leave and the one that they move to: database users, and the entities
    (type, id) that the vault's log calls them by. `synced`: the Secret whose key holds the user's name.
    """

    old_user: str
    new_user: str
    old: tuple[str, str]
    new: tuple[str, str]
    synced: SyncedSecret | None = None


class PairWatch:
    """Looks at the consumers of pairs. Methods raise StepFailedError and ObserverAwayError."""

    def __init__(self, tools: Tools) -> None:
        self._watch = tools.consumers
        self._learned_s = tools.settings.response.consumers.learned_s
        self.clusters = Clusters()

    def inventory(self, context: StepContext) -> Sequence[ConsumerEntry]:
        """Return the consumers that the operator wrote down."""
        return self._watch.inventory(context.target) if self._watch is not None else ()

    def seen(
        self, context: StepContext, pair: Pair, observer: Observer, flipped_at: float | None
    ) -> list[Sighting]:
        """Return who was seen with which half; before the flip (None) no mount has the new one."""
        now = context.now()
        seen = sessions_seen(observer, pair.old_user, pair.new_user, now)
        if self._watch is not None:
            seen += self._watch.reads(pair.old, "old", (flipped_at or now) - self._learned_s)
            seen += self._watch.reads(pair.new, "new", flipped_at or now)
        synced = pair.synced
        if synced is not None:
            new = None if flipped_at is None else SecretText(pair.new_user)
            server = self.clusters.client(synced.cluster)
            seen += at_kubernetes(lambda: mounts_seen(server, synced, new, flipped_at or now, now))
        return seen

    def now(
        self, context: StepContext, pair: Pair, observer: Observer, flipped_at: float | None
    ) -> Convergence:
        """Return what one look shows."""
        found, now = Convergence(), context.now()
        seen = self.seen(context, pair, observer, flipped_at)
        found.look(seen, self.inventory(context), since=flipped_at or now, now=now, window_s=0)
        return found
