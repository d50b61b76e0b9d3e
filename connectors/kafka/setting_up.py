"""`davylamp topics create`: topics and rights as they should be, as they are, and the step between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from aiokafka.admin import NewTopic

from config.kafka import Kafka
from connectors.kafka.access import Acl
from connectors.kafka.acl_store import Held, add_acls, beyond, held_acls, missing
from connectors.kafka.admin import administering
from connectors.kafka.topic_check import TopicState, topic_states
from connectors.kafka.topics import make_topics

SCHEMA = "davylamp.topics/1"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was there, and what is made now: nothing when `dry_run`.

    A topic whose state is not `there` was made, or would be. `beyond` are rights of others on the same
    topics that the contract does not give.
    """

    dry_run: bool
    topics: Sequence[TopicState]
    acls: Sequence[Acl]
    missing_acls: frozenset[Acl]
    beyond: Sequence[Held]

    def to_json(self) -> dict[str, object]:
        """Return the outcome as `davylamp.topics/1`."""
        made = "missing" if self.dry_run else "created"
        return {
            "schema": SCHEMA,
            "dry_run": self.dry_run,
            "topics": [
                {
                    "name": state.topic.name,
                    "state": "there" if state.there else made,
                    "partitions": state.topic.num_partitions,
                    "replication_factor": state.topic.replication_factor,
                    "settings": dict(state.topic.topic_configs),
                    "differs": {
                        name: {"is": found, "wanted": wanted}
                        for name, (found, wanted) in state.differs.items()
                    },
                }
                for state in self.topics
            ],
            "acls": [
                {**acl._asdict(), "state": made if acl in self.missing_acls else "there"} for acl in self.acls
            ],
            "beyond": [held._asdict() for held in self.beyond],
        }


async def set_up(
    kafka: Kafka, topics: Sequence[NewTopic], acls: Sequence[Acl], *, dry_run: bool = False
) -> Outcome:
    """Make the topics and rights that are missing; change nothing that is there, and nothing on a dry run.

    Raises NoEntryError, TopicRefusedError, AclRefusedError, and aiokafka.errors.KafkaError.
    """
    async with administering(kafka) as admin:
        states = await topic_states(admin, topics)
        held = await held_acls(admin) if acls else []
        lacking = missing(acls, held)
        if not dry_run:
            made = await make_topics(admin, [state.topic for state in states if not state.there])
            states = [replace(state, there=state.topic.name not in made) for state in states]
            await add_acls(admin, lacking)
    ours = [topic.name for topic in topics]
    return Outcome(dry_run, states, acls, frozenset(lacking), beyond(acls, held, ours))
