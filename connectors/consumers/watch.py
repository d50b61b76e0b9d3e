"""The inventory and the vault's readers, as rotations ask for them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from config.consumers import ConsumerEntry, read_consumers
from config.settings import Settings
from connectors.consumers.vault_reads import reads_seen
from connectors.store.database import Database
from connectors.store.error import StoreError
from playbooks.consumers import Side, Sighting
from playbooks.ports import StepFailedError
from playbooks.target import TargetRef

Own: TypeAlias = Callable[[], Collection[tuple[str, str]]]


@dataclass(frozen=True, slots=True)
class Watch:
    """Implements `playbooks.ports.ConsumerWatch`.

    `entries` are the inventory's consumers by target key; `own` are Davylamp's entities (type, id) now.
    """

    database: Database
    entries: Mapping[str, Sequence[ConsumerEntry]]
    own: Own

    @classmethod
    def of(cls, settings: Settings, database: Database, own: Own) -> Watch:
        """Return the watch of a site. Raises ConfigurationError for an inventory that cannot be used."""
        keys = [target.key for target in settings.response.targets]
        return cls(database, read_consumers(settings.response.consumers.inventory, keys), own)

    def inventory(self, target: TargetRef) -> Sequence[ConsumerEntry]:
        """Return the consumers that the operator wrote down for the configured target."""
        return self.entries.get(target.base_key, ())

    def reads(self, credential: tuple[str, str], side: Side, since: float) -> Sequence[Sighting]:
        """Return the last read by each reader. Raises StepFailedError when the database of record is away."""
        try:
            with self.database.reading() as connection:
                return reads_seen(connection, credential, side, since, self.own())
        except StoreError as error:
            reason = f"who read it cannot be told now: {type(error).__name__}"
        raise StepFailedError(reason, retry=True, unavailable="database of record")
