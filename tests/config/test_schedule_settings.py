"""Schedules and freeze windows as written: what is no time, or names nothing, is refused with its place."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from config.errors import ConfigurationError
from config.loader import load
from config.schedules import FreezeWindow, Schedule, last_match, next_match
from daemon.roles.respond.schedule_settings import timetable_of

ANALYTICS = {"name": "analytics", "classification": "internal", "owner": "data"}
TOKEN = {"kind": "vault_token", "mount": "token", "name": "token"}


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def settings_with(**response):
    flags = {"response.targets": [ANALYTICS, TOKEN]}
    return load(None, flags=flags | {f"response.{key}": value for key, value in response.items()})


@pytest.mark.parametrize(
    "cron",
    [
        "",
        "0 3 * *",
        "0 3 * * * *",
        "@daily",
        "61 * * * *",
        "0 0 31 2 *",
        "H 3 * * *",
        "R * * * *",
        "a b c d e",
    ],
)
def test_what_is_no_time_is_refused(cron):
    with pytest.raises(ValidationError):
        Schedule(name="x", cron=cron, targets=("a",))


@pytest.mark.parametrize(
    ("cron", "now", "before", "after"),
    [
        ("0 3 * * *", "2026-11-23T03:00:00", "2026-11-23T03:00:00", "2026-11-24T03:00:00"),
        ("0 3 * * sun", "2026-11-23T12:00:00", "2026-11-22T03:00:00", "2026-11-29T03:00:00"),
        ("30 2 1 */3 *", "2026-11-23T12:00:00", "2026-10-01T02:30:00", "2027-01-01T02:30:00"),
        ("0 0 29 2 *", "2026-11-23T12:00:00", "2024-02-29T00:00:00", "2028-02-29T00:00:00"),
    ],
)
def test_the_minute_before_and_after(cron, now, before, after):
    assert last_match(cron, at(now)) == at(before)
    assert next_match(cron, at(now)) == at(after)


def test_a_window_holds_from_its_first_to_before_its_last_second():
    night = FreezeWindow(name="night", cron="0 22 * * *", hours=3)
    assert night.until(at("2026-11-23T21:59:59")) is None
    assert night.until(at("2026-11-23T22:00:00")) == at("2026-11-24T01:00:00")
    assert night.until(at("2026-11-24T00:59:59")) == at("2026-11-24T01:00:00")
    assert night.until(at("2026-11-24T01:00:00")) is None


@pytest.mark.parametrize(
    "window",
    [
        {},
        {"begin": "2026-12-20T00:00:00Z"},
        {"begin": "2026-12-20T00:00:00Z", "end": "2026-12-19T00:00:00Z"},
        {"begin": "2026-12-20T00:00:00", "end": "2026-12-21T00:00:00"},
        {"cron": "0 22 * * *"},
        {"cron": "0 22 * * *", "hours": 2, "end": "2026-12-19T00:00:00Z"},
    ],
)
def test_a_window_without_both_ends_is_refused(window):
    with pytest.raises(ValidationError):
        FreezeWindow.model_validate({"name": "w", **window})


@pytest.mark.parametrize(
    ("response", "key", "said"),
    [
        (
            {"schedules": [{"name": "a", "cron": "0 3 * * *", "targets": ["nobody"]}]},
            "schedules.0",
            "no conf",
        ),
        ({"schedules": [{"name": "a", "cron": "0 3 * * *", "targets": ["token"]}]}, "schedules", "successor"),
        (
            {
                "schedules": [
                    {"name": "a", "cron": "0 3 * * *", "targets": ["analytics"]},
                    {"name": "b", "cron": "0 4 * * *", "targets": ["database/analytics"]},
                ]
            },
            "schedules",
            "named by a and b",
        ),
        (
            {"freeze_windows": [{"name": "w", "cron": "0 3 * * *", "hours": 1, "targets": ["x"]}]},
            "freeze_windows.0",
            "no conf",
        ),
    ],
)
def test_a_schedule_that_names_what_cannot_be_rotated_is_refused(response, key, said):
    with pytest.raises(ConfigurationError) as error:
        timetable_of(settings_with(**response))
    (problem,) = error.value.problems
    assert f"response.{key}" in problem.key
    assert said in problem.message


def test_a_class_takes_only_what_leaves_a_successor():
    table = timetable_of(
        settings_with(schedules=[{"name": "a", "cron": "0 3 * * *", "classes": ["internal", "unknown"]}])
    )
    assert [kind for kind in ("database_static_role", "vault_token") if table.routine(kind)] == [
        "database_static_role"
    ]
