"""A Kubernetes Secret that something syncs from the vault.

Whatever syncs it (External Secrets, Vault Secrets Operator) is not asked: the Secret itself and the pods are.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Final

from pydantic import Field

from config.section import Section
from connectors.kubernetes.cluster import Cluster
from connectors.kubernetes.kinds import POD, SECRET
from connectors.kubernetes.permission import Permission

_NAME: Final = r"^[a-z0-9]([a-z0-9.-]{0,126}[a-z0-9])?$"


class SyncedSecret(Section):
    """The Secret that pods read; `key` in its data holds the provider's secret."""

    namespace: str = Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")
    name: str = Field(pattern=_NAME)
    key: str = Field(pattern=r"^[A-Za-z0-9._-]{1,253}$")
    cluster: Cluster = Cluster()

    def rights(self) -> Sequence[Permission]:
        """Return the rights that looking takes."""
        return (SECRET.may("get", self.namespace, self.name), POD.may("list", self.namespace))


def decoded(text: object) -> bytes | None:
    """Return what a key of a Secret's data holds, None when that is no base64."""
    if not isinstance(text, str):
        return None
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return None
