"""The role on a real broker: exceptions and the breaker, from settings to topic, status and metrics."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import orjson
import pytest
from kafka.records import cloudtrail
from prometheus_client import generate_latest

from config.settings import Settings
from connectors.kafka.topics import create_topics
from detectors.lifecycle.breaker import FLOOD_RULE

pytestmark = pytest.mark.integration
HERE = Path(__file__).parent
EXCEPTION = """first-user:
  rules: [7f0f6f3a-3d0d-4a3e-9d57-0a1b6c2e9d11]
  entities: [{type: iam_principal, id: "arn:aws:iam::123456789012:user/u0"}]
  owner: o
  reason: r
  ticket: t
  from: 2026-01-01
  expires: 2026-12-31
"""


def _beside(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"held_{name}", HERE / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


watching = _beside("watching")


async def test_what_is_held_back_is_in_the_topic_and_counted_also_after_a_restart(
    settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "e.yaml").write_text(EXCEPTION)
    document = settings.model_dump()
    document["detection"] |= {"exceptions": [tmp_path / "e.yaml"], "flood_per_hour": 30}
    settings = Settings.model_validate(document)
    await create_topics(settings, raw=True)
    topic = "aws.cloudtrail"

    def counted(runtime: object, name: str) -> int:
        return runtime.status()["conservation"].get("cloudtrail", {}).get(name, 0)  # type: ignore[attr-defined]

    first = [(topic, 0, orjson.dumps(cloudtrail(n, "StopLogging"))) for n in range(28)]
    await watching.fill(settings, first)
    async with watching.detecting(settings) as runtime:
        await watching.until(lambda: counted(runtime, "records:read") == 28)
        assert counted(runtime, "findings:held:exception") == 4 and counted(runtime, "findings:sent") == 24
        assert runtime.status()["exception_hits"] == {"first-user": 4}
        metrics = generate_latest(runtime.registry).decode()
    assert 'davylamp_detect_exception_hits_total{exception="first-user"} 4.0' in metrics
    assert 'davylamp_detect_findings_total{outcome="held",reason="exception"' in metrics
    await watching.fill(
        settings, [(topic, 0, orjson.dumps(cloudtrail(n, "StopLogging"))) for n in range(28, 56)]
    )
    async with watching.detecting(settings) as runtime:
        await watching.until(lambda: counted(runtime, "records:read") == 56)
        assert counted(runtime, "findings:held:exception") == 8
        assert (counted(runtime, "findings:sent"), counted(runtime, "findings:held:flood")) == (30, 18)
    said = [orjson.loads(record.value) for record in await watching.everything(settings, "davylamp.findings")]
    labels = [one.get("labels", {}).get("held", "sent") for one in said if one["rule_id"].startswith("7f0f")]
    assert {why: labels.count(why) for why in set(labels)} == {"exception": 8, "sent": 30, "flood": 18}
    assert [one["labels"]["rule"][:4] for one in said if one["rule_id"] == FLOOD_RULE] == ["7f0f"]
