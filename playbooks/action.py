"""The life of an action: its states and the legal ways between them (`docs/architecture.md`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias, cast

ActionState: TypeAlias = Literal[
    "proposed",
    "queued",
    "executing",
    "verifying",
    "rolling_back",
    "succeeded",
    "verify_failed",
    "failed",
    "rolled_back",
    "needs_human",
    "rejected",
    "expired",
    "superseded",
    "satisfied",
    "cancelled",
]
BUSY: Final[frozenset[ActionState]] = frozenset({"queued", "executing", "verifying", "rolling_back"})
TERMINAL: Final[frozenset[ActionState]] = frozenset(
    {
        "succeeded",
        "verify_failed",
        "failed",
        "rolled_back",
        "needs_human",
        "rejected",
        "expired",
        "superseded",
        "satisfied",
        "cancelled",
    }
)
UNSUCCESSFUL: Final[frozenset[ActionState]] = TERMINAL - {"succeeded", "satisfied"}

_LEGAL: Final[Mapping[ActionState, frozenset[ActionState]]] = {
    "proposed": frozenset({"queued", "rejected", "expired", "superseded", "satisfied", "cancelled"}),
    "queued": frozenset({"executing", "cancelled", "needs_human", "failed"}),
    "executing": frozenset(
        {"verifying", "succeeded", "failed", "verify_failed", "rolling_back", "needs_human", "cancelled"}
    ),
    "verifying": frozenset({"succeeded", "verify_failed", "failed", "rolling_back", "needs_human"}),
    "verify_failed": frozenset({"rolling_back", "needs_human"}),
    "failed": frozenset({"rolling_back", "needs_human"}),
    "rolling_back": frozenset({"rolled_back", "needs_human"}),
}


class IllegalActionError(ValueError):
    """An action cannot go from one state to another; the message names both."""


def parse_state(text: str) -> ActionState:
    """Return `text` as a state. Raises ValueError for an unknown one."""
    if text not in BUSY | TERMINAL | {"proposed"}:
        raise ValueError(f"action state {text!r} is unknown")
    return cast(ActionState, text)


def may_go(state: ActionState, to_state: ActionState) -> bool:
    """Return whether an action may go from `state` to `to_state`."""
    return to_state in _LEGAL.get(state, frozenset())


def check_action(state: ActionState, to_state: ActionState) -> None:
    """Raise IllegalActionError unless an action may go from `state` to `to_state`."""
    if not may_go(state, to_state):
        raise IllegalActionError(f"an action cannot go from {state} to {to_state}")
