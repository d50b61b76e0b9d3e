"""Who may do what on which topic and group: contracts, section 1, as ACLs. Pure.

The rights are the least that a role works with. READ and WRITE imply DESCRIBE. Nobody but detect and
correlate may write findings: who can, can cut off passwords.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple, get_args

from connectors.kafka.topics import AUDIT, DEAD_LETTERS, FINDINGS, FLOWS, INCIDENTS, MATCHES, VERDICTS

Holder = Literal["detect", "correlate", "respond", "forward", "dlq", "replay", "platform"]
HOLDERS: Final[tuple[Holder, ...]] = get_args(Holder)
Resource = Literal["topic", "group"]
Operation = Literal["read", "write", "create"]


class Acl(NamedTuple):
    """One right, for a principal as Kafka writes it (`User:NAME`), from any host, on a literal name."""

    principal: str
    resource: Resource
    name: str
    operation: Operation


@dataclass(frozen=True, slots=True)
class Names:
    """What the rights are on: raw topics, consumer groups by role, and correlate's changelog topics.

    `canaries` are the raw topics that detect sends canaries to.
    """

    raw: Sequence[str]
    groups: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    changelogs: Sequence[str] = ()
    canaries: Sequence[str] = ()


def acls(names: Names, principals: Mapping[Holder, str]) -> list[Acl]:
    """Return the rights of every holder that has a principal, sorted and without repeats.

    `platform` is who writes the raw topics; its rights are made only if a principal is given for it.
    """
    found = {
        Acl(principal, resource, name, operation)
        for holder, principal in principals.items()
        for resource, name, operation in _rights(holder, names)
    }
    return sorted(found)


def _rights(holder: Holder, names: Names) -> Iterator[tuple[Resource, str, Operation]]:
    for group in names.groups.get(holder, ()):
        yield "group", group, "read"
    for topic in _reads(holder, names):
        yield "topic", topic, "read"
    for topic in _writes(holder, names):
        yield "topic", topic, "write"
    if holder == "correlate":
        # Faust asks for its changelogs to be made on each start, also when they are there.
        for topic in names.changelogs:
            yield "topic", topic, "create"


def _reads(holder: Holder, names: Names) -> Sequence[str]:
    match holder:
        case "detect":
            return (*names.raw, VERDICTS)
        case "correlate":
            return (MATCHES, FLOWS, VERDICTS, *names.changelogs)
        case "respond":
            return (FINDINGS,)
        case "forward":
            return (*names.raw, FINDINGS, INCIDENTS, AUDIT)
        case "dlq":
            return (DEAD_LETTERS,)
        case "replay":
            return (*names.raw, FINDINGS)
        case "platform":
            return ()


def _writes(holder: Holder, names: Names) -> Sequence[str]:
    match holder:
        case "detect":
            return (MATCHES, FLOWS, FINDINGS, DEAD_LETTERS, *names.canaries)
        case "correlate":
            return (FINDINGS, *names.changelogs)
        case "respond":
            return (VERDICTS, INCIDENTS, AUDIT)
        case "forward":
            return (DEAD_LETTERS,)
        case "dlq" | "replay":
            return ()
        case "platform":
            return names.raw
