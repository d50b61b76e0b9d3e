"""Exceptions and states are read again with the rules: taken together, or the old ones stay."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from config.detection import Detection
from config.errors import ConfigurationError
from connectors.sources.catalogue import profile
from daemon.live_rules import LiveRules
from daemon.reloading_rules import StreamRules
from daemon.roles.correlate.holding import HoldingPublisher
from daemon.roles.correlate.live import CorrelateRules
from daemon.roles.detect.live import DetectRules
from detectors.event import Entity
from detectors.finding import Finding
from detectors.lifecycle.gate import Gate

TEXT = """known:
  rules: [{rule}]
  entities: [{{type: iam_principal, id: ci}}]
  owner: o
  reason: r
  ticket: t
  from: 2026-01-01
  expires: 2026-12-01
"""


@pytest.fixture
def detection(tmp_path: Path, new_rule: Callable[..., str]) -> Detection:
    """Two rules, files of exceptions and states that say nothing yet."""
    for name in ("e.yaml", "l.yaml"):
        (tmp_path / name).write_text("")
    (tmp_path / "rules").mkdir()
    for number in (1, 2):
        (tmp_path / "rules" / f"{number}.yml").write_text(new_rule(number, f"Name{number}"))
    return Detection(
        builtin_rules=False,
        rule_cache=False,
        rules=(tmp_path / "rules",),
        exceptions=(tmp_path / "e.yaml",),
        lifecycle=(tmp_path / "l.yaml",),
    )


async def test_an_exception_and_a_state_are_in_force_after_a_reload_and_a_broken_file_changes_nothing(
    detection: Detection, tmp_path: Path
) -> None:
    source = StreamRules(detection)
    live = LiveRules(source, [profile("cloudtrail")])
    stage = SimpleNamespace(engine=live.engine, gate=source.gate)
    part = DetectRules(source, live, stage)
    one, two = sorted(rule.id for rule in live.engine.ruleset.rules)
    look, digest = source.look(), source.digest

    (tmp_path / "e.yaml").write_text(TEXT.format(rule=one))
    (tmp_path / "l.yaml").write_text(f"{two}: {{state: draft, since: 2026-01-01, by: me}}\n")
    assert source.look() != look
    answer = await part.reload()
    assert list(answer["removed"]) == [two] and source.digest != digest
    assert [rule.id for rule in stage.engine.ruleset.rules] == [one]
    assert [entry.name for entry in stage.gate.exemptions.entries] == ["known"]

    gate, engine = stage.gate, stage.engine
    (tmp_path / "l.yaml").write_text("")
    (tmp_path / "e.yaml").write_text(TEXT.format(rule=one).replace("owner: o", "owner: ''"))
    with pytest.raises(ConfigurationError, match=r"e\.yaml:4: known\.owner"):
        await part.reload()
    assert stage.gate is gate and stage.engine is engine


async def test_correlate_takes_the_gate_with_its_correlations(detection: Detection, tmp_path: Path) -> None:
    rules = await asyncio.to_thread(lambda: CorrelateRules(StreamRules(detection)))
    rules.evaluator = SimpleNamespace(correlations={}, swap=lambda new: None)
    rules.holding = HoldingPublisher(Kept(), rules.gate)
    (tmp_path / "e.yaml").write_text(TEXT.format(rule="davylamp-first-seen-edge"))
    await rules.reload()
    assert rules.holding.gate.exemptions.entries[0].name == "known"


class Kept(list[Finding]):
    """A publisher that keeps."""

    async def publish(self, findings: list[Finding]) -> None:
        self.extend(findings)


async def test_correlate_publishes_what_is_held_with_its_reason_and_counts_it() -> None:
    finding = Finding(
        "r", "t", "low", "low", "final", "vault_audit", "e", ("e",), 1.0, 1.0, 1.0, 1,
        (Entity("k8s_user", "eve", "actor"),), (), "x", "id",
    )  # fmt: skip
    kept = Kept()
    holding = HoldingPublisher(kept, Gate(shadow=frozenset({"r"})))
    await holding.publish([finding])
    holding.gate = Gate()
    await holding.publish([finding])
    assert [one.labels for one in kept] == [{"held": "shadow"}, {}]
    assert holding.held == {"shadow": 1} and holding.hits.counts == {}
