"""The kill switch on the pages: who may stop everything, who may not, and what a page may release."""

from __future__ import annotations

import pytest

from connectors.store import audit, schema, switches
from connectors.store.error import WriteDeniedError

NOW = 1_780_000_000.0


async def form_token(page) -> str:
    return (await page.get("/")).text.split('name="csrf" value="')[-1].split('"')[0]


def engaged(world) -> frozenset[str]:
    with world.writer.reading() as connection:
        assert audit.verify(connection) == []
        return switches.engaged(connection)


async def test_an_approver_stops_everything_and_lets_it_go(world, sign_in, own) -> None:
    page = await sign_in("alice")
    answer = await page.post(
        "/switch/engage", data={"csrf": await form_token(page), "name": "all"}, headers=own
    )
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert engaged(world) == {"all"}
    shown = (await page.get("/")).text
    assert "Kill switch is on" in shown
    assert "Release the kill switch" in shown
    await page.post("/switch/release", data={"csrf": await form_token(page), "name": "all"}, headers=own)
    assert engaged(world) == frozenset()
    rows = [row for row in world.rows(schema.audit) if row["action"].startswith("switch.")]
    assert [(row["actor"], row["action"]) for row in rows] == [
        ("alice", "switch.engage"),
        ("alice", "switch.release"),
    ]


async def test_a_reader_sees_why_and_a_forged_form_is_refused(world, client, sign_in, own) -> None:
    page = await sign_in("alice")
    token = await form_token(page)
    forged = [
        await page.post("/switch/engage", data={"csrf": "x" * 43, "name": "all"}, headers=own),
        await page.post("/switch/engage", data={"csrf": token}, headers={"origin": "https://evil.example"}),
        await client().post("/switch/engage", data={"csrf": token, "name": "all"}, headers=own),
    ]
    assert [answer.status_code for answer in forged] == [403, 403, 401]
    assert [guard for _, _, guard in world.refusals()] == ["csrf", "origin", "session"]
    assert engaged(world) == frozenset()
    assert "Only a named approver can stop everything here." in (await client().get("/")).text


async def test_by_token_one_verb_is_stopped_and_a_wrong_name_is_not(world, client, tokens) -> None:
    headers = {"authorization": f"Bearer {tokens['bob']}"}
    answer = await client().post("/api/switches/verb:rotate.credential/engage", json={}, headers=headers)
    assert (answer.status_code, engaged(world)) == (200, {"verb:rotate.credential"})
    answer = await client().post("/api/switches/everything/engage", json={}, headers=headers)
    assert answer.status_code == 400
    assert (await client().post("/api/switches/all/engage", json={})).status_code == 401


async def test_what_a_command_engaged_no_page_releases(world, client, tokens) -> None:
    with world.writer.transaction() as connection:
        switches.engage(connection, "all", "operator", NOW)
    headers = {"authorization": f"Bearer {tokens['bob']}"}
    answer = await client().post("/api/switches/all/release", json={}, headers=headers)
    assert (answer.status_code, answer.json()["guard"]) == (409, "kill_switch")
    assert engaged(world) == {"all"}


def test_a_command_releases_what_a_page_engaged(world) -> None:
    with world.writer.transaction() as connection:
        switches.engage(connection, "all", "alice", NOW, page=True)
        assert switches.release(connection, "all", "operator", NOW + 1)
    assert engaged(world) == frozenset()


def test_the_web_role_writes_no_other_switch(world) -> None:
    with pytest.raises(WriteDeniedError), world.site.database.transaction() as connection:
        switches.engage(connection, "all", "alice", NOW)
