"""How an object that Davylamp made is known again: a derived name, labels, and a digest of its spec.

The name is derived from verb and target alone, so that a second worker, a second action and a late call all
meet the same object instead of making another.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final, cast

import orjson

from connectors.kubernetes.names import label_value
from detectors.event import Fields
from detectors.finding import rfc3339
from detectors.identifier import derive

MANAGER: Final = "app.kubernetes.io/managed-by"
VERB: Final = "davylamp.io/containment"
ACTION: Final = "davylamp.io/action"
DIGEST: Final = "davylamp.io/digest"
TARGET: Final = "davylamp.io/target"
EXPIRES: Final = "davylamp.io/expires-at"
OURS: Final = "davylamp"


@dataclass(frozen=True, slots=True)
class Mark:
    """What an object of one action carries. `expires_at` in seconds (UTC)."""

    verb: str
    target: str
    action_id: str
    expires_at: float

    @property
    def name(self) -> str:
        """The object's name: the same for every action of this verb on this target."""
        return f"davylamp-{derive('containment', self.verb, self.target)}"

    def metadata(self, namespace: str, spec: Fields) -> Fields:
        """Return the metadata of the object with `spec`."""
        return {
            "name": self.name,
            "namespace": namespace,
            "labels": {MANAGER: OURS, VERB: label_value(self.verb), ACTION: label_value(self.action_id)},
            "annotations": {
                DIGEST: digest(spec),
                TARGET: self.target,
                EXPIRES: rfc3339(self.expires_at),
            },
        }


def digest(spec: Fields) -> str:
    """Return the SHA-256 of a spec as sorted JSON."""
    return "sha256:" + hashlib.sha256(orjson.dumps(spec, option=orjson.OPT_SORT_KEYS)).hexdigest()


def uid_of(found: Fields) -> str:
    """Return the object's uid, which no other object ever gets."""
    return str(_part(found, "metadata").get("uid"))


def is_ours(found: Fields, action_id: str) -> bool:
    """Return whether the object carries our labels and this action's id."""
    labels = _part(_part(found, "metadata"), "labels")
    return labels.get(MANAGER) == OURS and labels.get(ACTION) == action_id


def whose(found: Fields) -> str:
    """Return who made the object, for people: an action of ours, or somebody else."""
    metadata = _part(found, "metadata")
    labels, notes = _part(metadata, "labels"), _part(metadata, "annotations")
    if labels.get(MANAGER) != OURS:
        return "somebody else"
    return f"action {str(labels.get(ACTION))[:36]} until {str(notes.get(EXPIRES))[:30]}"


def unchanged(found: Fields, wanted: str) -> bool:
    """Return whether the object's spec, as the server has it, still has the digest `wanted`."""
    return digest(_part(found, "spec")) == wanted


def _part(found: Fields, key: str) -> Fields:
    return cast(Fields, found.get(key) or {})
