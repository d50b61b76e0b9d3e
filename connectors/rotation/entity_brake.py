"""The entity brake: while an entity is disabled the vault refuses its logins and all its tokens, batch too.

Measured on OpenBao 2.7: an enabled entity's old tokens work again, so the brake holds, it does not kill. A
batch token that must die for good dies with its entity's deletion, which is a person's decision.
"""

from __future__ import annotations

from dataclasses import dataclass

from connectors.vault import entities
from connectors.vault.client import VaultClient
from playbooks.ports import StepFailedError

OWN = "this is our own entity: it is never touched"


@dataclass(frozen=True, slots=True)
class EntityBrake:
    """Disables one entity, and enables it again. Methods raise VaultError and StepFailedError."""

    vault: VaultClient
    entity: str

    def check(self) -> entities.Entity:
        """Return the entity as it is. Raises StepFailedError for our own and for one that is not there."""
        if self.vault.identity().entity == self.entity:
            raise StepFailedError(OWN, retry=False)
        found = entities.read(self.vault, self.entity)
        if found is None:
            raise StepFailedError("the vault has no such entity", retry=False)
        return found

    def pull(self) -> None:
        """Disable the entity, unless it is already, and look that it is."""
        if self.check().disabled:
            return
        entities.disable(self.vault, self.entity, True)
        if not self.check().disabled:
            raise StepFailedError("the vault said yes but has not disabled the entity", retry=True)

    def release(self) -> None:
        """Enable the entity again and look that it is."""
        entities.disable(self.vault, self.entity, False)
        if self.check().disabled:
            raise StepFailedError("the vault said yes but has not enabled the entity", retry=True)
