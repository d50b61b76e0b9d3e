"""Where reading resumes, what counts as a loss, what a client is told, what a message may be."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from aiokafka.structs import TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from config.kafka import Kafka
from connectors.kafka.assignment import Ends, first_loss, loss_in_gap, resume_offset
from connectors.kafka.client import consumer_options, producer_options
from connectors.kafka.dead_letter import MAX_VALUE_BYTES, dead_letter
from connectors.kafka.encoding import encode_key, encode_value
from connectors.kafka.topics import INTERNAL, KEPT_BY_KEY, definitions

TP = TopicPartition("t", 1)
OFFSETS = st.integers(0, 1000)


@given(OFFSETS, OFFSETS, OFFSETS)
def test_a_place_inside_the_log_is_no_loss_and_any_other_is(offset: int, a: int, b: int) -> None:
    ends = Ends(min(a, b), max(a, b))
    loss = first_loss(TP, offset, ends)
    assert (loss is None) == (ends.start <= offset <= ends.end)
    if loss is not None:
        assert loss.resumed == ends.start and loss.count >= 1
        assert loss.records == (ends.start - offset if offset < ends.start else None)


def test_a_block_is_read_from_the_first_record_that_is_left_of_it() -> None:
    assert resume_offset(1000, Ends(0, 5000)) == 1000
    assert resume_offset(1000, Ends(1200, 5000)) == 1200


def test_holes_of_compaction_are_no_loss() -> None:
    assert loss_in_gap(TP, committed=10, position=10, first=15, start=0) is None


def test_a_log_that_begins_after_our_place_is_a_loss_of_a_known_number() -> None:
    loss = loss_in_gap(TP, committed=10, position=10, first=15, start=14)
    assert loss is not None and (loss.kind, loss.records, loss.resumed) == ("retention", 4, 14)


def test_a_log_that_begins_anew_is_a_loss_of_an_unknown_number() -> None:
    loss = loss_in_gap(TP, committed=10, position=10, first=0, start=0)
    assert loss is not None and (loss.kind, loss.records, loss.resumed) == ("recreated", None, 0)


def test_a_login_reaches_every_client_and_its_password_comes_from_its_file(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("first\n")
    kafka = Kafka.model_validate(
        {"security_protocol": "SASL_SSL", "username": "davylamp-detect", "password": {"file": secret}}
    )
    assert consumer_options(kafka, "g")["sasl_plain_password"] == "first"
    secret.write_text("second\n")
    options = producer_options(kafka)
    assert options["sasl_plain_password"] == "second"
    assert options["sasl_mechanism"] == "SCRAM-SHA-512"
    assert options["ssl_context"].verify_mode.name == "CERT_REQUIRED"
    assert options["acks"] == "all"


def test_a_plain_connection_carries_no_login() -> None:
    options = consumer_options(Kafka(), "g")
    assert not [name for name in options if name.startswith(("sasl", "ssl"))]
    assert options["enable_auto_commit"] is False


def test_topics_have_append_time_and_the_right_cleaning() -> None:
    made = {topic.name: topic.topic_configs for topic in definitions(Kafka())}
    assert set(made) == set(INTERNAL)
    assert {name for name, configs in made.items() if configs["cleanup.policy"] == "compact"} == set(
        KEPT_BY_KEY
    )
    assert {configs["message.timestamp.type"] for configs in made.values()} == {"LogAppendTime"}


def test_a_dead_letter_is_short_and_says_all_by_name() -> None:
    letter = dead_letter(
        b"x" * 100_000,
        reason="bad_json",
        role="detect",
        source="cloudtrail",
        origin="t/0/1/2",
        detail="d" * 9999,
    )
    assert letter.topic == "davylamp.dlq" and len(letter.value) == MAX_VALUE_BYTES
    headers = dict(letter.headers)
    assert headers["origin"] == b"t/0/1/2" and headers["target"] == b"" and len(headers["detail"]) == 512


@given(st.dictionaries(st.text(), st.text() | st.integers() | st.lists(st.text())))
def test_any_text_and_any_number_becomes_a_value_that_strict_readers_take(
    document: dict[str, object],
) -> None:
    assert isinstance(orjson.loads(encode_value(document)), dict)


@pytest.mark.parametrize(("text", "key"), [("pod:a/b", b"pod:a/b"), ("pod:\ud800", b"pod:?")])
def test_any_text_becomes_a_key(text: str, key: bytes) -> None:
    assert encode_key(text) == key
