"""The one shape every detector reads: an event, where it came from and what its source knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, Protocol, TypeAlias

from msgspec import Struct, field

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
Fields: TypeAlias = "dict[str, Json]"
Outcome: TypeAlias = Literal["success", "failure", "unknown"]
SourceKind: TypeAlias = str

EntityType: TypeAlias = Literal[
    "credential",
    "iam_principal",
    "access_key",
    "k8s_user",
    "service_account",
    "pod",
    "workload",
    "namespace",
    "vault_entity",
    "vault_token",
    "address",
    "host",
    "secret",
    "bucket",
    "database",
    "node",
    "image",
    "edge",
]
EntityRole: TypeAlias = Literal["actor", "target", "source"]


class Entity(NamedTuple):
    """Something that acts, is acted on, or is acted from. `id` is attacker-writable text."""

    type: EntityType
    id: str
    role: EntityRole


class Locator(Struct, frozen=True, order=True, gc=False):
    """Where an event lies: Kafka topic, partition, offset, and its index inside the record.

    For a file, `topic` is the file's path and `offset` the 1-based line. Like `Event` it is a struct because
    one is made for every record: that takes a quarter of the time that a named tuple or data class takes.
    """

    topic: str
    partition: int
    offset: int
    index: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}/{self.index}"


class Alias(NamedTuple):
    """Two names of one thing, valid from an event time (seconds since the epoch, UTC)."""

    a: tuple[EntityType, str]
    b: tuple[EntityType, str]
    valid_from: float


class Contact(NamedTuple):
    """One directed contact seen in an event: who reached what. The unit of flows and baselines.

    `model` names the baseline ("mesh_edge", "credential_reader"); `subject` is who, `peer` is what.
    `outside`: the source itself says that the peer is none of the platform's (an unregistered host).
    """

    model: str
    subject: tuple[EntityType, str]
    peer: tuple[EntityType, str]
    bytes_out: int
    outside: bool = False


class LogSource(NamedTuple):
    """A Sigma log source; None matches anything that the rule leaves out."""

    product: str | None
    service: str | None
    category: str | None


class SourceProfile(Protocol):
    """What a source knows about its own events; one object a source kind, stateless."""

    kind: SourceKind
    logsources: tuple[LogSource, ...]
    aliases: Mapping[str, str]

    def event_id(self, event: Event) -> str:
        """Return the derived id of `event` (`docs/architecture.md`, ids)."""
        ...

    def entities(self, event: Event) -> Sequence[Entity]:
        """Return who acted, on what, from where; the primary entity first."""
        ...

    def outcome(self, event: Event) -> Outcome:
        """Return whether the source let it happen; "failure" also means denied."""
        ...

    def summary(self, event: Event) -> str:
        """Return half a sentence with values: "alice called sts:GetCallerIdentity from 10.0.0.1"."""
        ...

    def aliases_in(self, event: Event) -> Sequence[Alias]:
        """Return the aliases that this event proves (a pod's address, for example)."""
        ...

    def contacts(self, event: Event) -> Sequence[Contact]:
        """Return the contacts that feed first-seen baselines."""
        ...


class Event(Struct, gc=False):
    """One event of one source.

    `time` is the source's event time in seconds since the epoch (UTC), never the clock.
    `fields` is the decoded record as the source wrote it. `origin` holds what the envelope knew:
    cluster, account, region, namespace, workload, pod, node.
    """

    profile: SourceProfile
    time: float
    fields: Fields
    locator: Locator
    origin: Mapping[str, str] = field(default_factory=dict[str, str])
    _id: str | None = None

    @property
    def source(self) -> SourceKind:
        """The source kind: cloudtrail, kubernetes_audit, istio_access or vault_audit."""
        return self.profile.kind

    @property
    def event_id(self) -> str:
        """The derived id, made on first use only: most events never need one."""
        if self._id is None:
            self._id = self.profile.event_id(self)
        return self._id
