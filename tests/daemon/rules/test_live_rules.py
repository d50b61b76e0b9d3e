"""Rules that change while events are judged: the old set or the new one, never a half."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from config.errors import ConfigurationError
from connectors.sources.catalogue import KINDS, profile
from daemon.live_rules import LiveRules
from daemon.rule_loader import RuleLoader
from detectors.event import Event, Locator
from detectors.sigma.preparation import UNPREPARED

RULE = """title: one
id: 11111111-1111-4111-8111-{number:012d}
name: rule_{number}
logsource: {{product: aws, service: cloudtrail}}
detection:
  s: {{eventName: {value}}}
  condition: s
"""
CORRELATION = """title: many
id: 22222222-2222-4222-8222-222222222222
correlation: {type: event_count, rules: [rule_0], group-by: [awsRegion], timespan: 1h, condition: {gte: 2}}
"""


def write(folder: Path, number: int, value: str) -> str:
    path = folder / f"{number}.yml"
    path.write_text(RULE.format(number=number, value=value), encoding="utf-8")
    return str(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rules = tmp_path / "rules"
    rules.mkdir()
    for number in range(4):
        write(rules, number, "Old")
    return rules


@pytest.fixture
def live(folder: Path, tmp_path: Path) -> LiveRules:
    loader = RuleLoader([folder], UNPREPARED, cache_folder=tmp_path / "cache")
    return LiveRules(loader, [profile(kind) for kind in KINDS])


def event(name: str) -> Event:
    record = {
        "eventName": name,
        "eventSource": "ec2.amazonaws.com",
        "eventID": "33333333-3333-4333-8333-333333333333",
        "awsRegion": "eu-west-1",
        "userIdentity": {"type": "Root", "accountId": "111122223333"},
    }
    return Event(profile("cloudtrail"), 0.0, dict(record), Locator("t", 0, 0, 0))


def fired(live: LiveRules, name: str) -> list[str]:
    return sorted(finding.rule_id[-1] for finding in live.engine.inspect(event(name)).findings)


def gone(folder: Path) -> None:
    folder.rename(folder.with_name("gone"))


def rule_id(number: int) -> str:
    return f"11111111-1111-4111-8111-{number:012d}"


async def test_a_reload_puts_the_new_set_in_place_and_names_what_changed(
    live: LiveRules, folder: Path
) -> None:
    assert fired(live, "Old") == ["0", "1", "2", "3"]
    write(folder, 1, "New")
    write(folder, 4, "New")
    (folder / "2.yml").unlink()
    done = await live.reload()
    assert (done.added, done.changed, done.removed) == ((rule_id(4),), (rule_id(1),), (rule_id(2),))
    assert fired(live, "Old") == ["0", "3"]
    assert fired(live, "New") == ["1", "4"]


async def test_a_watch_that_knows_the_files_gets_the_same(live: LiveRules, folder: Path) -> None:
    done = await live.reload([write(folder, 1, "New")])
    assert done.changed == (rule_id(1),)
    done = await live.reload([write(folder, 9, "New")])  # a file that was not there: all are looked at
    assert done.added == (rule_id(9),)
    (folder / "9.yml").unlink()
    done = await live.reload([str(folder / "9.yml")])
    assert done.removed == (rule_id(9),)


async def test_a_reload_without_a_change_changes_nothing(live: LiveRules, folder: Path) -> None:
    (folder / "5.yml").write_text(CORRELATION, encoding="utf-8")
    await live.reload()
    done = await live.reload()
    assert (done.added, done.changed, done.removed) == ((), (), ())


async def test_a_comment_changes_no_rule(live: LiveRules, folder: Path) -> None:
    path = folder / "0.yml"
    path.write_text(path.read_text(encoding="utf-8") + "# seen\n", encoding="utf-8")
    assert (await live.reload()).changed == ()


async def test_two_writes_in_one_tick_of_the_clock_are_both_seen(live: LiveRules, folder: Path) -> None:
    for value in ("Aaa", "Bbb", "Ccc"):
        path = Path(write(folder, 0, value))
        os.utime(path, ns=(1, 1))
        await live.reload()
        assert fired(live, value) == ["0"]


async def test_a_broken_rule_is_refused_and_the_others_stay(live: LiveRules, folder: Path) -> None:
    (folder / "0.yml").write_text("title: [", encoding="utf-8")
    done = await live.reload()
    assert done.removed == (rule_id(0),)
    assert len(live.engine.ruleset.refusals) == 1
    assert fired(live, "Old") == ["1", "2", "3"]


async def test_when_nothing_can_be_loaded_the_old_set_stays(live: LiveRules, folder: Path) -> None:
    before = live.engine
    gone(folder)
    with pytest.raises(ConfigurationError):
        await live.reload()
    assert live.engine is before
    assert fired(live, "Old") == ["0", "1", "2", "3"]


async def test_every_event_meets_one_whole_set_while_rules_change(live: LiveRules, folder: Path) -> None:
    """All rules change from one name to the next together; no event may meet some of each."""
    seen: set[tuple[int, int]] = set()
    for turn in range(6):
        before, after = f"Name{turn}", f"Name{turn + 1}"
        for number in range(4):
            write(folder, number, before)
        await live.reload()
        for number in range(4):
            write(folder, number, after)
        task = asyncio.create_task(live.reload())
        while not task.done():
            engine = live.engine
            hits = [len(engine.inspect(event(name)).findings) for name in (before, after)]
            seen.add((hits[0], hits[1]))
            await asyncio.sleep(0)
        await task
        assert fired(live, after) == ["0", "1", "2", "3"]
    assert seen <= {(4, 0), (0, 4)}
    assert (4, 0) in seen


async def test_sources_whose_rules_stay_keep_what_they_remember(live: LiveRules, folder: Path) -> None:
    vault, trail = profile("vault_audit"), profile("cloudtrail")
    before = (live.engine.dispatch(vault), live.engine.dispatch(trail))
    write(folder, 1, "New")
    await live.reload()
    assert live.engine.dispatch(vault) is before[0]
    assert live.engine.dispatch(trail) is not before[1]


async def test_a_rule_that_starts_to_feed_a_correlation_is_indexed_anew(
    live: LiveRules, folder: Path
) -> None:
    (folder / "5.yml").write_text(CORRELATION, encoding="utf-8")
    await live.reload()
    found = live.engine.inspect(event("Old"))
    assert [match.rule for match in found.matches] == [rule_id(0)]
    assert rule_id(0) not in {finding.rule_id for finding in found.findings}
