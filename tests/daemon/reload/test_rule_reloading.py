"""Rules read again while events are judged: taken whole, or the old set stays and that is said."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from config.detection import Detection
from connectors.sources.catalogue import profile
from daemon.live_rules import LiveRules
from daemon.reloading import Reloading
from daemon.reloading_rules import StreamRules
from daemon.reloading_watch import watch
from daemon.roles.detect.live import DetectRules
from detectors.event import Event, Locator

Text = Callable[..., str]


class Judge:
    """What the part swaps; stands for the stage."""

    def __init__(self, live: LiveRules) -> None:
        self.engine = live.engine


class Rules:
    """The rules of a worker, wired as the role wires them."""

    def __init__(self, detection: Detection, registry: CollectorRegistry) -> None:
        self.source = StreamRules(detection)
        seen = self.source.look()
        self.live = LiveRules(self.source, [profile("cloudtrail")])
        self.judge: Any = Judge(self.live)
        self.registry = registry
        self.reloading = Reloading(registry, time.time)
        self.reloading.add(DetectRules(self.source, self.live, self.judge), seen)

    def titles(self) -> list[str]:
        return sorted(rule.identity.title for rule in self.judge.engine.ruleset.rules)

    async def reload(self) -> Any:
        return await self.reloading.reload("test")

    def sample(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, {"part": "rules", **labels})

    async def becomes(self, titles: list[str]) -> None:
        await until(lambda: self.titles() == titles)


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while True:
            if holds():
                return
            await asyncio.sleep(0.01)


@pytest.fixture
def rules(detection: Detection, registry: CollectorRegistry) -> Rules:
    return Rules(detection, registry)


async def test_a_renewed_volume_is_another_set_with_another_hash(
    rules: Rules, volume: Any, new_rule: Text
) -> None:
    before = rules.source.digest
    volume.put({"one.yml": new_rule(1, "StopLogging"), "two.yml": new_rule(2, "DeleteTrail")})
    answer = await rules.reload()
    assert answer["ok"] and answer["parts"]["rules"]["added"] == ("33333333-3333-4333-8333-000000000002",)
    assert rules.titles() == ["DeleteTrail", "StopLogging"]
    after = rules.source.digest
    assert after != before and answer["parts"]["rules"]["hash"] == after
    assert rules.sample("davylamp_live_set_info", hash=after) == 1
    assert rules.sample("davylamp_live_set_info", hash=before) is None, "one set is in force, not two"
    assert rules.sample("davylamp_reloads_total", outcome="taken") == 1


async def test_a_rule_that_breaks_takes_nothing_out_of_force(
    rules: Rules, volume: Any, new_rule: Text
) -> None:
    before = rules.source.digest
    volume.put({"one.yml": new_rule(1, "StopLogging", broken=True), "two.yml": new_rule(2, "DeleteTrail")})
    answer = await rules.reload()
    assert not answer["ok"] and "one.yml" in answer["parts"]["rules"]["problems"][0]
    assert rules.titles() == ["StopLogging"] and rules.source.digest == before
    assert rules.sample("davylamp_reload_ok") == 0
    assert rules.sample("davylamp_reloads_total", outcome="refused") == 1
    status: Any = rules.reloading.status()
    assert status["rules"]["hash"] == before and status["rules"]["problems"]
    volume.put({"one.yml": new_rule(1, "StopLogging"), "two.yml": new_rule(2, "DeleteTrail")})
    assert (await rules.reload())["ok"]
    assert rules.titles() == ["DeleteTrail", "StopLogging"] and rules.sample("davylamp_reload_ok") == 1


async def test_a_rule_that_was_refused_from_the_start_does_not_stop_reloads(
    volume: Any, new_rule: Text, detection: Detection, registry: CollectorRegistry
) -> None:
    bad = new_rule(9, "Bad", broken=True)
    volume.put({"bad.yml": bad, "one.yml": new_rule(1, "StopLogging")})
    rules = Rules(detection, registry)
    volume.put(
        {"bad.yml": "\n\n" + bad, "one.yml": new_rule(1, "StopLogging"), "two.yml": new_rule(2, "Two")}
    )
    assert (await rules.reload())["ok"]
    assert rules.titles() == ["StopLogging", "Two"]


async def test_the_inventory_is_read_again_and_a_broken_one_leaves_the_set_in_force(
    volume: Any, new_rule: Text, detection: Detection, registry: CollectorRegistry, tmp_path: Path
) -> None:
    inventory = tmp_path / "inventory.yaml"
    inventory.write_text("aws_iac_roles: [builder]\n")
    known = "  known: {userIdentity.arn|expand: '%aws_iac_roles%'}\n  condition: s and not known"
    volume.put({"one.yml": new_rule(1, "StopLogging").replace("  condition: s", known)})
    rules = Rules(detection.model_copy(update={"inventory": (inventory,)}), registry)

    def speaks(arn: str) -> bool:
        fields: Any = {"eventName": "StopLogging", "eventSource": "x", "userIdentity": {"arn": arn}}
        event = Event(profile("cloudtrail"), 0.0, fields, Locator("t", 0, 0, 0))
        return bool(rules.judge.engine.inspect(event).findings)

    assert speaks("deployer") and not speaks("builder")
    inventory.write_text("aws_iac_roles: [deployer]\n")
    assert (await rules.reload())["ok"]
    assert speaks("builder") and not speaks("deployer")
    inventory.write_text("aws_iac_roles: ['*']\n")
    answer = await rules.reload()
    assert not answer["ok"] and "stands for everybody" in answer["parts"]["rules"]["problems"][0]
    assert speaks("builder") and not speaks("deployer")


async def test_a_folder_that_is_gone_leaves_the_set_in_force(rules: Rules, volume: Any) -> None:
    volume.folder.rename(volume.folder.with_name("gone"))
    answer = await rules.reload()
    assert not answer["ok"] and rules.titles() == ["StopLogging"]


def test_the_hash_is_of_the_meaning_and_not_of_the_place(
    tmp_path: Path, new_rule: Text, registry: CollectorRegistry
) -> None:
    digests: list[str] = []
    texts = (
        {"a.yml": new_rule(1, "One"), "b.yml": new_rule(2, "Two")},
        {"z.yml": new_rule(1, "One") + "# said\n", "c.yml": new_rule(2, "Two")},
        {"a.yml": new_rule(1, "One"), "b.yml": new_rule(2, "Two").replace("high", "low")},
    )
    for number, files in enumerate(texts):
        folder = tmp_path / str(number)
        folder.mkdir()
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
        source = StreamRules(Detection(builtin_rules=False, rules=(folder,)))
        source.load()
        digests.append(source.digest)
    assert digests[0] == digests[1] != digests[2]


async def test_the_watch_sees_a_renewed_volume_and_tries_a_broken_one_once(
    rules: Rules, volume: Any, new_rule: Text
) -> None:
    watching = asyncio.create_task(watch(rules.reloading, 0.05))
    try:
        volume.put({"one.yml": new_rule(1, "StopLogging"), "two.yml": new_rule(2, "DeleteTrail")})
        await rules.becomes(["DeleteTrail", "StopLogging"])
        volume.put({"one.yml": new_rule(1, "StopLogging", broken=True)})
        await until(lambda: rules.sample("davylamp_reloads_total", outcome="refused"))
        await asyncio.sleep(0.5)
        assert rules.sample("davylamp_reloads_total", outcome="refused") == 1, "it did not change since"
        assert rules.titles() == ["DeleteTrail", "StopLogging"]
        volume.put({"three.yml": new_rule(3, "Three")})
        await rules.becomes(["Three"])
    finally:
        watching.cancel()


async def test_a_copy_of_many_files_is_taken_in_when_it_is_done(
    rules: Rules, volume: Any, new_rule: Text
) -> None:
    watching = asyncio.create_task(watch(rules.reloading, 0.2))
    seen: set[int] = set()
    try:
        for number in range(2, 22):
            (volume.folder / f"{number}.yml").write_text(new_rule(number, f"R{number}"), encoding="utf-8")
            await asyncio.sleep(0.03)
            seen.add(len(rules.titles()))
        await rules.becomes(sorted(["StopLogging", *(f"R{number}" for number in range(2, 22))]))
        assert seen == {1}, "no half of the copy was in force"
    finally:
        watching.cancel()


async def test_requests_that_wait_together_are_one_reload(rules: Rules) -> None:
    answers = await asyncio.gather(*(rules.reload() for _ in range(20)))
    assert all(answer["ok"] for answer in answers)
    assert (rules.sample("davylamp_reloads_total", outcome="taken") or 0) <= 2
