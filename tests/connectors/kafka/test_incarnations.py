"""Whether a log is the one that was read, by what the commits of a group state of its topics' ids."""

from __future__ import annotations

from aiokafka.structs import TopicPartition

from connectors.kafka.checkpoint import Checkpoint, Log
from connectors.kafka.incarnation import Logs

OLD, NEW, OTHER = Log("old", 2), Log("new", 3), Log("other", 2)
X0, X1, X2, Y0, Y1 = (TopicPartition(name[0], int(name[1])) for name in ("x0", "x1", "x2", "y0", "y1"))
NOW = {"x": NEW, "y": OTHER}


def place(**logs: Log) -> Checkpoint:
    return Checkpoint(5, {}, logs)


def test_a_commit_that_states_another_log_is_told() -> None:
    logs = Logs(NOW, {X0: place(x=OLD), X1: place(x=NEW)})
    assert logs.made_anew(X0)
    assert not logs.made_anew(X1)


def test_a_commit_that_states_nothing_is_judged_by_its_offset_alone() -> None:
    assert not Logs(NOW, {X0: place(), Y0: place(x=OLD)}).made_anew(X0)


def test_a_commit_that_went_with_its_topic_is_told_by_those_for_other_topics() -> None:
    logs = Logs(NOW, {Y0: place(x=OLD, y=OTHER)})
    assert logs.made_anew(X0) and logs.made_anew(X1)
    assert not logs.made_anew(Y1)


def test_a_partition_that_the_old_log_did_not_have_lost_nothing() -> None:
    assert not Logs(NOW, {Y0: place(x=OLD)}).made_anew(X2)


def test_the_first_reading_of_all_is_no_loss() -> None:
    assert not any(Logs(NOW, {}).made_anew(tp) for tp in (X0, X1, Y0))


def test_a_broker_without_ids_says_nothing() -> None:
    logs = Logs({}, {X0: place(x=OLD), Y0: place(x=OLD)})
    assert not logs.made_anew(X0) and not logs.made_anew(X1)
    assert logs.statement([X0]) == {}


def test_a_worker_states_the_new_log_of_topics_that_it_owns() -> None:
    assert Logs(NOW, {Y0: place(x=OLD, y=OTHER)}).statement([X0, Y0]) == NOW


def test_a_worker_that_owns_nothing_of_a_topic_does_not_hide_what_its_owners_have_yet_to_see() -> None:
    held = {Y0: place(x=OLD, y=OTHER), X0: place(x=NEW, y=OTHER)}
    stated = Logs(NOW, held).statement([Y0])
    assert stated == {"x": OLD, "y": OTHER}
    assert Logs(NOW, {Y0: place(**stated), X0: place(x=NEW)}).made_anew(X1)


def test_it_forgets_the_old_log_when_every_partition_of_the_new_one_has_a_commit() -> None:
    held = {Y0: place(x=OLD, y=OTHER)} | dict.fromkeys((X0, X1, X2), place(x=NEW))
    assert Logs(NOW, held).statement([Y0]) == NOW
