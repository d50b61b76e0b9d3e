"""Containments and their ends in words: nothing is rotated there, and nothing is proven dead."""

from __future__ import annotations

from typing import Final

from connectors.store.records import ActionRecord
from playbooks.action import UNSUCCESSFUL
from playbooks.containment import CONTAIN, RELEASE

_DEEDS: Final = {CONTAIN: "Cut off", RELEASE: "Release"}
_NOUNS: Final = {CONTAIN: "containment", RELEASE: "release"}
CHECKS: Final = ("object_stands", "selects_exactly", "nothing_overrides")


def deed(action: ActionRecord) -> str:
    """Return what the action does to its target, as a verb: "Rotate", "Cut off", "Release"."""
    return _DEEDS.get(action.verb, "Rotate")


def noun(action: ActionRecord) -> str:
    """Return what the action is: "rotation", "containment", "release"."""
    return _NOUNS.get(action.verb, "rotation")


def rotates(action: ActionRecord) -> bool:
    """Return whether the action is about a credential."""
    return action.verb not in _NOUNS


def outcome(action: ActionRecord) -> tuple[float | None, str, bool] | None:
    """Return (time, sentence, well) of how a containment or a release ended; None while it has not."""
    name = f"{action.mount}/{action.name}"
    if action.state == "succeeded":
        done = "Released" if action.verb == RELEASE else "Cut off"
        by = "" if action.verb == RELEASE else ": it stands by the API server's word (grade C), not proven"
        return action.finished_at, f"{done} {name}{by}.", True
    if action.state in UNSUCCESSFUL:
        why = f": {action.reason}" if action.reason else ""
        state = action.state.replace("_", " ")
        return action.finished_at, f"The {noun(action)} of {name} is {state}{why}.", False
    return None
