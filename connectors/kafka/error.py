"""What can go wrong between a role and Kafka."""

from __future__ import annotations

from typing import ClassVar, Final

from aiokafka.errors import KafkaConnectionError, KafkaError

_LONGEST: Final = 300


class KafkaRoomError(Exception):
    """Base of this room's errors. No text holds a record's content or a secret."""


def told(error: BaseException) -> str:
    """Return an error as one short line for readiness and logs: its kind, and what it is about."""
    name = type(error).__name__
    about = "; ".join(str(part) for part in error.args if part) if isinstance(error, KafkaError) else ""
    return f"{name}: {about}"[:_LONGEST] if about else name


class CheckpointUnreadableError(KafkaRoomError):
    """The file of counters cannot be read as one; the text names the file and what to do."""


class CheckpointLostError(KafkaRoomError):
    """Another worker wrote the partition's checkpoint since this one read it: the partition moved on."""

    def __init__(self, topic: str, partition: int) -> None:
        super().__init__(f"{topic}/{partition} has another owner")
        self.topic = topic
        self.partition = partition


class TopicRefusedError(KafkaRoomError):
    """The broker would not make a topic; the text has the topic and the broker's reason."""


class GroupBusyError(KafkaRoomError):
    """A group cannot be rewound because its workers still run; the text names the group."""


class NoEntryError(KafkaConnectionError, KafkaRoomError):
    """The brokers do not let us in; the text says which broker, why, and which setting to look at.

    The kinds are ordered by how far the connection came: `depth` is larger for what failed later.
    """

    depth: ClassVar[int] = 0


class BrokerAwayError(NoEntryError):
    """Nothing answers at that address: name, network, or a broker that is down."""


class BrokerSilentError(NoEntryError):
    """Something answers that ends the conversation without a reason that a client can see."""

    depth = 1


class ProtocolMismatchError(NoEntryError):
    """`kafka.security_protocol` is not that of the listener: TLS against plain text, login against none."""

    depth = 2


class CertificateRefusedError(NoEntryError):
    """The broker's certificate is not one that we trust for that name."""

    depth = 3


class ClientCertificateRefusedError(NoEntryError):
    """The broker wants a certificate of ours, or does not trust the one that it got."""

    depth = 3


class MechanismRefusedError(NoEntryError):
    """The listener does not take `kafka.sasl_mechanism`."""

    depth = 4


class UnknownUserError(NoEntryError):
    """The broker has no credential of that mechanism for `kafka.username`."""

    depth = 5


class WrongPasswordError(NoEntryError):
    """The broker knows the user and refuses the password."""

    depth = 6


class LoginRefusedError(NoEntryError):
    """The broker refuses the login and the mechanism (PLAIN) does not tell user from password."""

    depth = 6


class AclRefusedError(KafkaRoomError):
    """The broker would not tell or make an ACL; the text has the right and the broker's reason."""
