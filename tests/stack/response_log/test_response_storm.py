"""A hostile storm of findings about 500 targets, and a real theft in the middle of it."""

from __future__ import annotations

import json
import statistics
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from parts.kafka import KafkaPart
from response_life.scene import theft
from response_log.desk import TARGETS, Desk, target, thefts

from connectors.store import schema

A_SECOND = 10_000 / 60
DRILLED = 60
QUIET_S = 4.0
FIRST_REAL = 1_000_000
GAP_S = 0.5
ACTED_S = 60.0


@pytest.mark.claim("10,000 hostile findings a minute keep every cap and hide no real theft")
def test_a_storm_keeps_the_caps_and_hides_nothing(
    kafka: KafkaPart, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    storm_s = 600.0 if request.config.getoption("--nightly") else 10.0
    with ExitStack() as stack:
        desk = Desk(kafka, tmp_path, stack)
        _drill(desk)
        worker = desk.worker().start()
        desk.write(thefts(range(2_000_000, 2_000_001), time.time()))
        desk.wait_read([worker])
        quiet = _play(desk, QUIET_S, FIRST_REAL, hostile=False)
        desk.wait_read([worker])
        loud = _play(desk, storm_s, FIRST_REAL + TARGETS, hostile=True)
        desk.wait_read([worker])
        calm_s, loud_s = (_delays(desk, sent) for sent in (quiet, loud))
        _until_acted(desk)
        pages = [json.loads(row["message"]) for row in desk.rows(schema.deliveries)]
        auto = [row for row in desk.rows(schema.actions) if row["auto"]]
    print(f"\nreal theft to its incident and proposal, quiet: {_told(calm_s)}")
    print(f"storm of {storm_s:g} s: {_told(loud_s)}; worst to worst {max(loud_s) / max(calm_s):.2f}")
    _within_caps(auto)
    assert sum(page["occasion"] == "storm" for page in pages) in (1, 2)  # one an hour of the clock
    assert len(pages) <= 30 + 2


def _until_acted(desk: Desk) -> None:
    """Wait until one action went ahead by itself: to judge comes after to read."""
    give_up = time.monotonic() + ACTED_S
    while not any(row["auto"] for row in desk.rows(schema.actions)):
        assert time.monotonic() < give_up, [row["guards"] for row in desk.rows(schema.actions)][:3]
        time.sleep(0.2)


def _told(delays_s: list[float]) -> str:
    return f"median {statistics.median(delays_s):.3f} s, worst {max(delays_s):.3f} s of {len(delays_s)}"


def _drill(desk: Desk) -> None:
    """Record drills that passed: without them nothing starts by itself, and no cap would be tried."""
    now = time.time() - 60
    with desk.database.transaction() as connection:
        for number in range(DRILLED):
            values = {
                "id": f"drill-{number}",
                "state": "rejected",
                "drill": True,
                "target_key": target(number).key,
            }
            connection.execute(schema.actions.insert().values({**_blank(now), **values}))
            row = {
                "action_id": f"drill-{number}",
                "target_key": target(number).key,
                "at": now,
                "passed": True,
            }
            connection.execute(schema.drills.insert().values(row))


def _blank(now: float) -> dict[str, Any]:
    text = ("verb", "target_kind", "mount", "name", "target_owner", "playbook_id", "digest", "requester")
    values: dict[str, Any] = dict.fromkeys(text, "drill")
    values |= {"classification": "internal", "mode": "contain", "playbook_version": "1", "epoch": 0}
    return {**values, "plan": "{}", "needed": 0, "trigger_time": now, "created_at": now}


def _play(desk: Desk, seconds: float, first: int, *, hostile: bool) -> dict[str, float]:
    """Write for `seconds`, a real theft every half second; return finding id -> when it was written."""
    begun = time.time()
    sent: dict[str, float] = {}
    written, number = 0, first
    for due in _beats(begun, seconds):
        if hostile:
            upto = int((due - begun) * A_SECOND / 3)
            desk.write(thefts(range(written, upto), time.time()))
            written = upto
        at = time.time()
        real = theft(number, target(number % TARGETS), f"thief-{number}", at, whole=False, level="critical")
        number += 1
        desk.write(real)
        sent[real[0].finding_id] = at
    return sent


def _beats(begun: float, seconds: float) -> Iterator[float]:
    due = begun
    while due < begun + seconds:
        due += GAP_S
        time.sleep(max(0.0, due - time.time()))
        yield due


def _delays(desk: Desk, sent: dict[str, float]) -> list[float]:
    """Return how long each real theft waited for its incident, which must have a proposal."""
    rows = {row["finding_id"]: row for row in desk.rows(schema.findings)}
    acted = {row["incident_id"] for row in desk.rows(schema.actions)}
    assert all(rows[finding]["incident_id"] in acted for finding in sent)
    return [rows[finding]["received_at"] - at for finding, at in sent.items()]


def _within_caps(auto: list[Any]) -> None:
    assert 0 < len(auto) <= 10
    assert max(Counter(row["target_owner"] for row in auto).values()) <= 2
    assert max(Counter(actor for row in auto for actor in json.loads(row["actors"])).values()) <= 2
