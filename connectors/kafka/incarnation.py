"""Whether the log of a partition is the one that was read, by what commits say of the topics' ids. Pure.

A commit states the log (topic id and number of partitions) of every topic of its group. Kafka deletes the
commits for a topic together with it; those for the other topics still state the log that is gone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from aiokafka.structs import TopicPartition

from connectors.kafka.checkpoint import Checkpoint, Log


@dataclass(frozen=True, slots=True)
class Logs:
    """The logs as the brokers have them now, and the checkpoints of all partitions of the group.

    A topic whose id the brokers do not tell is not in `now`: nothing is said about it.
    """

    now: Mapping[str, Log]
    held: Mapping[TopicPartition, Checkpoint]

    def made_anew(self, tp: TopicPartition) -> bool:
        """Return whether records of another log under the same name were read, or stood to be read."""
        now = self.now.get(tp.topic)
        if now is None:
            return False
        own = self.held.get(tp)
        if own is not None:
            stated = own.logs.get(tp.topic)
            return stated is not None and stated.topic_id != now.topic_id
        return any(tp.partition < log.partitions for log in self._others(tp.topic, now))

    def statement(self, owned: Collection[TopicPartition]) -> dict[str, Log]:
        """Return what the commits of a worker that owns these partitions have to state.

        Of a topic of which it owns nothing it goes on saying what was said before, until every partition of
        the new log has a commit: the topic's own workers may not have looked yet.
        """
        mine = {tp.topic for tp in owned}
        return {
            topic: now if topic in mine or self._settled(topic, now) else self._before(topic, now)
            for topic, now in self.now.items()
        }

    def _settled(self, topic: str, now: Log) -> bool:
        held = [self.held.get(TopicPartition(topic, number)) for number in range(now.partitions)]
        return all(one is not None and one.logs.get(topic) == now for one in held)

    def _before(self, topic: str, now: Log) -> Log:
        return next(iter(self._others(topic, now)), now)

    def _others(self, topic: str, now: Log) -> list[Log]:
        stated = (checkpoint.logs.get(topic) for checkpoint in self.held.values())
        return [log for log in stated if log is not None and log.topic_id != now.topic_id]
