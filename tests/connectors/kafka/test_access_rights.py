"""The rights of the contract as ACLs: the least that each role works with, and nothing for anybody else."""

from __future__ import annotations

import pytest

from config.kafka import Kafka
from connectors.kafka.access import HOLDERS, Acl, Names, acls
from connectors.kafka.acl_store import Held, beyond, missing
from connectors.kafka.error import BrokerAwayError, WrongPasswordError, told
from connectors.kafka.probe import why_no_entry
from connectors.kafka.topics import DEAD_LETTERS, FINDINGS, INTERNAL, MATCHES

NAMES = Names(("aws.cloudtrail",), {role: (f"group-{role}",) for role in HOLDERS}, ("changelog",))
PRINCIPALS = {role: f"User:{role}" for role in HOLDERS}


def holders(operation: str, topic: str) -> set[str]:
    return {a.principal for a in acls(NAMES, PRINCIPALS) if (a.operation, a.name) == (operation, topic)}


def test_nobody_but_detect_and_correlate_may_write_findings() -> None:
    assert holders("write", FINDINGS) == {"User:detect", "User:correlate"}


def test_the_web_role_has_no_right_and_the_platform_writes_raw_topics_only() -> None:
    assert "web" not in HOLDERS
    rights = [a for a in acls(NAMES, PRINCIPALS) if a.principal == "User:platform" and a.resource == "topic"]
    assert rights == [Acl("User:platform", "topic", "aws.cloudtrail", "write")]


def test_dead_letters_are_read_by_the_dlq_command_alone_and_it_may_write_nothing() -> None:
    assert holders("read", DEAD_LETTERS) == {"User:dlq"}
    assert {a.operation for a in acls(NAMES, PRINCIPALS) if a.principal == "User:dlq"} == {"read"}


@pytest.mark.parametrize("topic", INTERNAL)
def test_every_internal_topic_has_a_writer(topic: str) -> None:
    assert holders("write", topic)


def test_a_holder_without_a_principal_gets_nothing() -> None:
    assert {a.principal for a in acls(NAMES, {"detect": "User:d"})} == {"User:d"}


def held(
    principal: str, name: str, pattern: str = "literal", operation: str = "write", **more: object
) -> Held:
    return Held(principal, "*", "topic", name, pattern, operation, True)._replace(**more)  # type: ignore[arg-type]


def test_a_denial_another_host_and_a_prefix_do_not_stand_for_a_right() -> None:
    wanted = [Acl("User:detect", "topic", MATCHES, "write")]
    others = [
        held("User:detect", MATCHES, allow=False),
        held("User:detect", MATCHES, host="10.0.0.1"),
        held("User:detect", "davylamp.", "prefixed"),
    ]
    assert missing(wanted, others) == wanted
    assert missing(wanted, [held("User:detect", MATCHES)]) == []


def test_what_lets_others_write_is_found_by_name_by_prefix_and_by_star() -> None:
    wanted = acls(NAMES, PRINCIPALS)
    more = [
        held("User:eve", FINDINGS),
        held("User:eve", "davylamp.", "prefixed"),
        held("User:eve", "*"),
    ]
    harmless = [
        held("User:eve", FINDINGS, operation="describe"),
        held("User:eve", "other"),
        held("User:detect", FINDINGS),
    ]
    assert beyond(wanted, [*more, *harmless], [FINDINGS]) == more


async def test_a_broker_that_is_not_there_is_named_with_its_address() -> None:
    found = await why_no_entry(Kafka(brokers=("127.0.0.1:1",)))
    assert isinstance(found, BrokerAwayError)
    assert told(found).startswith("BrokerAwayError: 127.0.0.1:1: connection refused")


def test_an_error_is_told_as_one_short_line() -> None:
    assert told(WrongPasswordError("a", "b")) == "WrongPasswordError: a; b"
    assert told(OSError("/secret/path")) == "OSError"
    assert len(told(WrongPasswordError("x" * 10_000))) == 300
