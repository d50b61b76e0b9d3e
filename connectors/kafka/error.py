"""What can go wrong between a role and Kafka."""

from __future__ import annotations


class KafkaRoomError(Exception):
    """Base of this room's errors. No text holds a record's content or a secret."""


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
