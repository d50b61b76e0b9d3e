"""Which containments stand in a namespace: what is released when its time is over, whatever became of SQL.

Everything that an object says of itself may have been changed by whoever may write it, so it is only believed
where it fits: the object's name is derived from verb and target.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, cast

from connectors.containment.mark import ACTION, EXPIRES, MANAGER, OURS, TARGET, VERB, Mark, uid_of
from connectors.kubernetes.client import KubernetesClient
from connectors.kubernetes.kinds import Kind
from detectors.event import Fields
from detectors.finding import parse_rfc3339
from playbooks.target import TargetRef

_LABELS: Final = f"{MANAGER}={OURS},{VERB}"


@dataclass(frozen=True, slots=True)
class Standing:
    """One containment that stands. `state` is what its release needs. `expires_at` in seconds, UTC."""

    target: TargetRef
    action_id: str
    uid: str
    expires_at: float

    @property
    def state(self) -> Fields:
        """The state for the steps of the release."""
        return {"action_id": self.action_id, "uid": self.uid}


def standing(client: KubernetesClient, kind: Kind, namespace: str) -> list[Standing]:
    """Return what stands of ours in `namespace`; needs the right to list `kind`. Raises KubernetesError."""
    found = (_read(one) for one in client.listed(kind, namespace, _LABELS))
    return [one for one in found if one is not None]


def expired(found: Iterable[Standing], now: float) -> list[Standing]:
    """Return those whose time is over, the oldest first."""
    return sorted((one for one in found if one.expires_at <= now), key=lambda one: one.expires_at)


def _read(found: Fields) -> Standing | None:
    metadata = cast(Fields, found.get("metadata") or {})
    labels, notes = (
        cast(Fields, metadata.get("labels") or {}),
        cast(Fields, metadata.get("annotations") or {}),
    )
    verb, target = str(labels.get(VERB)), str(notes.get(TARGET))
    if Mark(verb, target, "", 0.0).name != metadata.get("name"):
        return None
    kind, _, rest = target.partition(":")
    mount, _, name = rest.partition("/")
    if kind != verb:
        return None
    try:
        expires_at = parse_rfc3339(str(notes.get(EXPIRES)))
    except ValueError:
        expires_at = 0.0
    ref = TargetRef(kind, mount, name, "unknown", "")
    return Standing(ref, str(labels.get(ACTION)), uid_of(found), expires_at)
