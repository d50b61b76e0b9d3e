"""A secret of the vault's KV engine whose value a provider gives out, as an operator says it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import ConfigDict, Field, model_validator

from connectors.rotation.handler import VAULT_PATH, VaultTarget
from connectors.rotation.kv_consumers import SyncedSecret


class ProviderKeyTarget(VaultTarget):
    """`mount` is the KV mount, `path` the secret in it (`name` unless said), with id and secret as fields.

    `refused_s`: how long the old key must be refused. `quiet_s`: in orderly mode the old key must have been
    unused for so long before it is retired. `consumers_wait_s`: how long known consumers are waited for.
    `retire` says how: a disabled key can be enabled again. `synced` is the Kubernetes Secret that pods read
    the new key from.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    mount: str = Field(default="secret", pattern=VAULT_PATH, max_length=128)
    path: str = Field(pattern=VAULT_PATH, max_length=200)
    id_field: str = Field(default="id", pattern=r"^[A-Za-z0-9_.-]{1,64}$")
    secret_field: str = Field(default="secret", pattern=r"^[A-Za-z0-9_.-]{1,64}$")
    retire: Literal["disable", "delete"] = "disable"
    synced: SyncedSecret | None = None
    refused_s: float = Field(default=3.1, ge=3.05, le=600)
    quiet_s: float = Field(default=300.0, ge=0, le=86_400)
    consumers_wait_s: float = Field(default=1800.0, gt=0, le=3000)

    @property
    def named_as(self) -> tuple[tuple[str, str], ...]:
        """The secret's path, as the vault's log names it: the KV engine of version 2, and of version 1."""
        mount = self.mount.strip("/")
        return (("secret", f"{mount}/data/{self.path}"), ("secret", f"{mount}/{self.path}"))

    @model_validator(mode="before")
    @classmethod
    def _path_is_the_name(cls, tree: Any) -> Any:
        return {"path": tree.get("name"), **tree} if isinstance(tree, Mapping) else tree
