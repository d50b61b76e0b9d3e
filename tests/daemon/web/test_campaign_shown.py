"""A campaign as people see it: who, tactics, parts and times, on its page, as JSON and in the terminal."""

from __future__ import annotations

import json

import pytest
import yaml
from click.testing import CliRunner

from connectors.store import schema
from daemon.cli.incidents import incidents

HOSTILE = "<script>alert(1)</script>{{ 7*7 }}"


@pytest.fixture
def told(world) -> tuple[str, str]:
    """The ids of a campaign and of its part."""
    part, _ = world.breach()
    whole = world.incident(
        2, key="test/campaign/pod:x/v1", title=f"One actor, 2 tactics: {HOSTILE}", playbook_id="campaign"
    )
    tactics = ("execution", "credential-access")
    found = sorted(row["finding_id"] for row in world.rows(schema.findings))
    for finding, tactic in zip(found, tactics, strict=True):
        world.insert(schema.campaign_findings, finding_id=finding, campaign_id=whole, tactics=tactic)
    return whole, part


async def test_the_page_of_a_campaign_names_tactics_and_parts(client, told):
    whole, part = told
    text = (await client().get(f"/incidents/{whole}")).text
    assert "credential access, execution" in text
    assert f'href="/incidents/{part}"' in text
    assert "Exec into a pod" in text
    assert "<script>alert" not in text


async def test_the_page_of_a_part_names_the_campaign(client, told):
    whole, part = told
    text = (await client().get(f"/incidents/{part}")).text
    assert "Part of" in text
    assert f'href="/incidents/{whole}"' in text
    assert 'id="campaign"' not in text


async def test_the_json_has_what_the_page_has(client, told):
    whole, part = told
    campaign = (await client().get(f"/api/incidents/{whole}")).json()["campaign"]
    assert campaign["tactics"] == ["credential-access", "execution"]
    assert [one["incident_id"] for one in campaign["parts"]] == [part]
    assert len(campaign["findings"]) == 2
    assert (await client().get(f"/api/incidents/{part}")).json()["campaign"] is None


def test_the_commands_show_campaigns(world, told):
    path = world.folder / "davylamp.yaml"
    path.write_text(yaml.safe_dump({"response": {"database_url": {"value": world.url}}}))
    listed = CliRunner().invoke(incidents, ["list", "--json", "--config", str(path)])
    assert told[0] in {row["incident_id"] for row in json.loads(listed.output)["incidents"]}
    shown = CliRunner().invoke(incidents, ["show", told[0], "--config", str(path)])
    assert shown.exit_code == 0, shown.output
    assert "tactics: credential-access, execution" in shown.output
    assert told[1] in shown.output
