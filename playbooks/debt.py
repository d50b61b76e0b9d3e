"""Revocation debt: old credentials that are not yet proven dead, and what is known of the dead ones.

A debt begins when a rotation has taken effect and ends with its proof, or with a person who answers for it.
It keeps the handle of the old credential, never the credential: who loses the handle leaves a leaked key
alive for ever. The states of a rotation's steps name the handle (`connectors/rotation`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from detectors.event import Fields, Json
from playbooks.proof import Proof
from playbooks.target import TargetRef

DebtState: TypeAlias = Literal["owed", "paid", "settled"]
Handle: TypeAlias = tuple[str, str]
FIRST_LOOK_S: Final = 60.0
LONGEST_LOOK_S: Final = 3600.0
MAX_LOOKS: Final = 48
MAX_HANDLES: Final = 64
MAX_HANDLE: Final = 256
_SHOWN: Final = 3
_NAMES: Final[tuple[tuple[str, str], ...]] = (
    ("old_id", "key"),
    ("secret_ids", "secret id by accessor"),
    ("leases", "lease"),
    ("old_uid", "object uid"),
    ("account_uid", "account uid"),
    ("baseline", "version"),
    ("old", "role"),
    ("fingerprint", "fingerprint"),
)
_SEEN_AS: Final[Mapping[str, str]] = {"aws_iam_access_key": "access_key"}


@dataclass(frozen=True, slots=True)
class OldCredential:
    """What a debt is about: `name` for people, `handles` (entity type, id) by which events call it."""

    name: str
    handles: tuple[Handle, ...] = ()


def old_credential(target: TargetRef, state: Mapping[str, Json], epoch: int) -> OldCredential:
    """Return the credential that a rotation of `target` ends, from what its steps left (`state`).

    Only what names a credential is taken: key ids, accessors, versions, keyed fingerprints.
    """
    handles: list[Handle] = []
    names: list[str] = []
    if target.kind == "vault_token" and target.instance:
        handles.append(("vault_token", target.instance))
        names.append(f"accessor {target.instance}")
    for key, word in _NAMES:
        found = _texts(state.get(key))
        if key == "old_id" and target.kind in _SEEN_AS:
            handles += [(_SEEN_AS[target.kind], text) for text in found]
        if found:
            more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
            names.append(f"{word} {', '.join(found[:_SHOWN])}{more}")
    return OldCredential("; ".join(names) or f"of epoch {epoch}", tuple(handles[:MAX_HANDLES]))


def next_look(looks: int, now: float) -> float | None:
    """Return when a proof is tried again (seconds, UTC) after `looks` tries; None: a person must look."""
    if looks >= MAX_LOOKS:
        return None
    return now + min(FIRST_LOOK_S * 2.0 ** min(looks, 16), LONGEST_LOOK_S)


def dead_credential(proof: Proof, old: OldCredential, aliases: Sequence[str], skew_s: float) -> Fields | None:
    """Return what detect must know to see the dead credential used, None when no event could name it.

    `aliases` are other names of it in events: the audit's hash of a revoked token, whose accessor a vault
    no longer tells. A refused use counts from the proof on; when the proof itself tried the old value, and
    for a use that was let in, `skew_s` later, because two clocks are compared.
    """
    if proof.grade is None or not old.handles:
        return None
    tried = any(check.name == "old_refused" for check in proof.checks)
    kind, identifier = old.handles[0]
    names = dict.fromkeys([*(name for _, name in old.handles), *aliases])
    return {
        "schema": "davylamp.dead-credential/1",
        "type": kind,
        "id": identifier,
        "names": list[Json](list(names)[:MAX_HANDLES]),
        "target": proof.target.key,
        "action_id": proof.action_id,
        "incident_id": proof.incident_id,
        "epoch": proof.epoch,
        "proven_at": proof.proven_at,
        "refused_from": proof.proven_at + (skew_s if tried else 0.0),
        "accepted_from": proof.proven_at + skew_s,
    }


def _texts(value: Json) -> list[str]:
    listed = value if isinstance(value, list) else [value]
    return [item[:MAX_HANDLE] for item in listed if isinstance(item, str) and item]
