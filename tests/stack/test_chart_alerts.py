"""Alerts speak and are silent as they should, evaluated by Prometheus' own engine."""

from dataclasses import dataclass

import pytest
from crds.alert_engine import answers
from crds.chart import given, of_kind
from parts.part import PartMissingError


@dataclass(frozen=True)
class Case:
    """`series` in Prometheus' notation, one sample a minute; `@` is the release's selector."""

    alert: str
    series: tuple[str, ...]
    at_minute: int
    speaks: bool


ACTIONS = 'davylamp_actions_total{@POD,verb="rotate",outcome="failed",mode="auto"}'
READ = 'davylamp_detect_records_total{@POD,target="",source="cloudtrail",outcome="read",reason=""}'
REFUSED = 'davylamp_forward_items_total{@POD,target="elastic",source="x",outcome="rejected",reason="mapping"}'
LOST = 'davylamp_lost_before_read_total{@POD,role="detect",target="",topic="k8s.audit",partition="0"}'
LOST_BY_CORRELATE = 'davylamp_correlate_lost_before_read_total{@POD,topic="davylamp.matches",partition="0"}'
TOLD = 'davylamp_notifications_total{@POD,notifier="on-call",outcome="failed"}'
OVERDUE = 'davylamp_target_overdue{@POD,target="database_static_role:database/x",why="late"}'
SEEN = 'davylamp_canary_newest_timestamp_seconds{@POD,target="elastic",source="cloudtrail"}'
LAG = 'davylamp_lag_records{@POD,role="detect",target="",topic="k8s.audit",partition="0"}'


def on(series: str, pod: str, values: str) -> str:
    return f"{series.replace('@POD', f'@,pod={pod!r}').replace(chr(39), chr(34))} {values}"


CASES = [
    Case("DavylampGone", ('up{namespace="other",job="rel-davylamp-detect"} 1x10',), 10, True),
    Case("DavylampGone", ("up{@} 0x10",), 10, False),
    Case("DavylampDown", ("up{@} 0x10",), 10, True),
    Case("DavylampDown", ("up{@} 1x10",), 10, False),
    Case("DavylampRotationFailed", (on(ACTIONS, "a", "_x89 1x10"),), 95, True),
    Case("DavylampRotationFailed", (on(ACTIONS, "a", "3x100"),), 95, False),
    Case("DavylampRotationFailed", (on(ACTIONS, "a", "3x89 4x10"),), 95, True),
    Case("DavylampRotationFailed", (on(ACTIONS, "a", "3x79 _x9 1x10"),), 95, True),
    Case("DavylampNotificationFailed", (on(TOLD, "a", "_x89 1x10"),), 95, True),
    Case("DavylampNotificationFailed", (on(TOLD, "a", "2x100"),), 95, False),
    Case("DavylampRecordsLost", (on(LOST, "a", "0x89 7x10"),), 95, True),
    Case("DavylampRecordsLost", (on(LOST, "a", "_x89 7x10"),), 95, True),
    Case("DavylampRecordsLost", (on(LOST, "a", "7x200"),), 195, False),
    Case("DavylampRecordsLost", (on(LOST, "a", "7x150 stale"), on(LOST, "b", "_x160 7x60")), 195, False),
    Case("DavylampRecordsLost", (on(LOST_BY_CORRELATE, "a", "_x89 7x10"),), 95, True),
    Case("DavylampDeadLetters", (on(REFUSED, "a", "_x89 1x10"),), 95, True),
    Case("DavylampDeadLetters", (on(REFUSED, "a", "5x89 6x10"),), 95, True),
    Case("DavylampDeadLetters", (on(REFUSED, "a", "5x200"),), 195, False),
    Case(
        "DavylampDeadLetters", (on(REFUSED, "a", "5x190 stale"), on(REFUSED, "b", "_x191 5x20")), 195, False
    ),
    Case("DavylampSourceSilent", (on(READ, "a", "0+10x50 500x60"),), 100, True),
    Case("DavylampSourceSilent", (on(READ, "a", "0+10x110"),), 100, False),
    Case("DavylampSourceSilent", (on(READ, "a", "500x20"),), 15, False),
    Case(
        "DavylampSourceSilent",
        (on(READ, "a", "0+10x90 100x20"), on(READ, "b", "0+10x90 1700+10x20")),
        100,
        False,
    ),
    Case("DavylampCanaryLate", (on(SEEN, "a", "0+60x10 600x60"),), 35, True),
    Case("DavylampCanaryLate", (on(SEEN, "a", "0+60x60"),), 35, False),
    Case("DavylampCanaryLate", (on(SEEN, "a", "600x60"), on(SEEN, "b", "0+60x60")), 35, False),
    Case("DavylampCanaryLate", (on(SEEN, "a", "0x60"),), 35, False),
    Case("DavylampLagGrowing", (on(LAG, "a", "0+1000x60"),), 50, True),
    Case("DavylampLagGrowing", (on(LAG, "a", "60000-1000x60"),), 20, False),
    Case("DavylampRestarting", ("process_start_time_seconds{@} 1x4 2x4 3x4 4x4",), 18, True),
    Case("DavylampRestarting", ("process_start_time_seconds{@} 1x8 2x10",), 18, False),
    Case("DavylampProposalWaiting", ('davylamp_actions_by_state{@,state="proposed"} 1x10',), 5, True),
    Case("DavylampProposalWaiting", ('davylamp_actions_by_state{@,state="queued"} 1x10',), 5, False),
    Case("DavylampRevocationDebt", ("davylamp_revocation_debt{@} 1x20",), 15, True),
    Case("DavylampRevocationDebt", ("davylamp_revocation_debt{@} 1x8 0x10",), 15, False),
    Case("DavylampTargetOverdue", (on(OVERDUE, "a", "0x5 1x30"),), 30, True),
    Case("DavylampTargetOverdue", (on(OVERDUE, "a", "1x5 0x30"), on(OVERDUE, "b", "0x35")), 30, False),
    Case("DavylampBreakerOpen", ('davylamp_breaker_open{@,verb="rotate.credential"} 1x10',), 8, True),
    Case("DavylampBreakerOpen", ('davylamp_breaker_open{@,verb="rotate.credential"} 1x3 0x10',), 8, False),
    Case("DavylampOutboxStuck", ("davylamp_outbox_pending{@} 3x20",), 15, True),
    Case("DavylampOutboxStuck", ("davylamp_outbox_pending{@} 3x8 0 3x20",), 15, False),
    Case("DavylampDown", ('up{namespace="other",job="rel-davylamp-detect"} 0x10',), 10, False),
]


IDS = [f"{index}-{case.alert}-{case.speaks}" for index, case in enumerate(CASES)]


@pytest.fixture(scope="session")
def spoken() -> list[bool]:
    (found,) = of_kind(given("production"), "PrometheusRule").values()
    rules = {rule["alert"]: rule["expr"] for rule in found["spec"]["groups"][0]["rules"]}
    selector = 'namespace="sec",job="rel-davylamp-detect"'
    questions = []
    for case in CASES:
        series = "\n".join(f"  {line.replace('@', selector)}" for line in case.series)
        questions.append((f"load 1m\n{series}\n", rules[case.alert], case.at_minute * 60))
    try:
        return [number > 0 for number in answers(questions)]
    except PartMissingError as error:
        pytest.skip(f"Prometheus' engine: {error}")


@pytest.mark.claim(
    "alerts speak on a first failure, a first loss and a silent source, and are silent when partitions move, "
    "by Prometheus' own engine",
    on=("prometheus", "helm"),
)
@pytest.mark.parametrize(
    "number", range(len(CASES)), ids=[f"{i}-{c.alert}-{c.speaks}" for i, c in enumerate(CASES)]
)
def test_an_alert_speaks_when_it_should(spoken, number):
    assert spoken[number] == CASES[number].speaks, CASES[number]
