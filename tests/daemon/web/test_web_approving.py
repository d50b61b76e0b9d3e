"""Who may approve and who may not: every refusal has a status, a reason in words, and an audit row."""

from __future__ import annotations

import json

import httpx
import pytest
from sqlalchemy import update

from connectors.store import audit, schema, sessions
from connectors.store.error import WriteDeniedError


def bearer(tokens: dict[str, str], name: str) -> dict[str, str]:
    return {"authorization": f"Bearer {tokens[name]}"}


async def form_token(page: httpx.AsyncClient, path: str) -> str:
    text = (await page.get(path)).text
    return text.split('name="csrf" value="')[-1].split('"')[0]


async def post_form(
    page: httpx.AsyncClient, action_id: str, own: dict[str, str], *, digest: str, verb: str = "approve"
) -> httpx.Response:
    csrf = await form_token(page, f"/actions/{action_id}")
    return await page.post(f"/actions/{action_id}/{verb}", data={"csrf": csrf, "digest": digest}, headers=own)


def digest_of(world, action_id: str) -> str:
    return next(row["digest"] for row in world.rows(schema.actions) if row["id"] == action_id)


async def test_two_people_approve_by_page_and_by_api(world, client, sign_in, own, tokens) -> None:
    _, action_id = world.breach()
    digest = digest_of(world, action_id)
    answer = await post_form(await sign_in("alice"), action_id, own, digest=digest)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/actions/{action_id}?done=approve")
    answer = await client().post(
        f"/api/actions/{action_id}/approve", json={"digest": digest}, headers=bearer(tokens, "bob")
    )
    assert answer.status_code == 200
    assert (answer.json()["given"], answer.json()["needed"], answer.json()["state"]) == (2, 2, "proposed")
    rows = world.rows(schema.approvals)
    assert [(row["approver"], row["decision"], row["digest"], row["via"]) for row in rows] == [
        ("alice", "approve", digest, "page"),
        ("bob", "approve", digest, "api"),
    ]
    allowed = [row["actor"] for row in world.rows(schema.audit) if row["outcome"] == "allowed"]
    assert allowed == ["alice", "bob"]
    with world.writer.reading() as connection:
        assert audit.verify(connection) == []


async def test_the_same_token_twice_counts_once(world, client, tokens) -> None:
    _, action_id = world.breach()
    digest, page = digest_of(world, action_id), client()
    for status in (200, 409):
        answer = await page.post(
            f"/api/actions/{action_id}/approve", json={"digest": digest}, headers=bearer(tokens, "alice")
        )
        assert answer.status_code == status
    assert answer.json()["guard"] == "repeated"
    assert answer.headers["content-type"] == "application/problem+json"
    assert len(world.rows(schema.approvals)) == 1
    assert world.refusals() == [("alice", "action.approve", "repeated")]


async def test_a_changed_mind_replaces_the_first_word(world, client, tokens) -> None:
    _, action_id = world.breach()
    digest, page = digest_of(world, action_id), client()
    for verb in ("approve", "reject"):
        answer = await page.post(
            f"/api/actions/{action_id}/{verb}", json={"digest": digest}, headers=bearer(tokens, "alice")
        )
        assert answer.status_code == 200
    assert [row["decision"] for row in world.rows(schema.approvals)] == ["reject"]
    assert answer.json()["given"] == 0


@pytest.mark.parametrize(
    ("changes", "who", "status", "guard"),
    [
        ({"requester": "alice"}, "alice", 403, "requester"),
        ({"requester": "Alice"}, "alice", 403, "requester"),
        ({"target_owner": "bob"}, "bob", 403, "owner"),
        ({"target_owner": "c.smith"}, "carol", 403, "owner"),
        ({}, "ines", 403, "class"),
        ({"expires_at": 1.0}, "alice", 409, "expired"),
        ({"state": "executing"}, "alice", 409, "state"),
        ({"state": "rejected"}, "alice", 409, "state"),
        ({"plan": json.dumps({"verb": "rotate.credential", "target": "other"})}, "alice", 409, "digest"),
    ],
)
async def test_refusals_by_rule(world, client, tokens, changes, who, status, guard) -> None:
    _, action_id = world.breach()
    if changes:
        world.set_action(action_id, **changes)
    answer = await client().post(
        f"/api/actions/{action_id}/approve",
        json={"digest": digest_of(world, action_id)},
        headers=bearer(tokens, who),
    )
    assert (answer.status_code, answer.json()["guard"]) == (status, guard)
    assert len(answer.json()["detail"]) > 20
    assert world.rows(schema.approvals) == []
    assert world.refusals() == [(who, "action.approve", guard)]


@pytest.mark.parametrize("entity", ["carol", "C.Smith", "ops/carol", "arn:aws:iam::1:user/carol"])
async def test_the_subject_of_the_incident_is_refused(world, client, tokens, entity) -> None:
    incident_id, action_id = world.breach()
    world.finding(incident_id, "subject", 1.0, [("k8s_user", entity, "actor")])
    answer = await client().post(
        f"/api/actions/{action_id}/approve",
        json={"digest": digest_of(world, action_id)},
        headers=bearer(tokens, "carol"),
    )
    assert (answer.status_code, answer.json()["guard"]) == (403, "subject")
    assert world.refusals() == [("carol", "action.approve", "subject")]


async def test_a_digest_that_changed_since_the_page_was_read_is_refused(world, sign_in, own) -> None:
    _, action_id = world.breach()
    page = await sign_in("alice")
    answer = await post_form(page, action_id, own, digest="0" * 64)
    assert answer.status_code == 409
    assert "not the one that you read" in answer.text
    assert world.refusals() == [("alice", "action.approve", "digest")]


async def test_an_approval_of_an_older_plan_may_be_given_anew(world, client, tokens) -> None:
    _, action_id = world.breach()
    world.insert(
        schema.approvals,
        action_id=action_id,
        approver="alice",
        decision="approve",
        digest="1" * 64,
        at=1.0,
        via="api",
    )
    digest = digest_of(world, action_id)
    answer = await client().post(
        f"/api/actions/{action_id}/approve", json={"digest": digest}, headers=bearer(tokens, "alice")
    )
    assert (answer.status_code, answer.json()["given"]) == (200, 1)
    assert [row["digest"] for row in world.rows(schema.approvals)] == [digest]


@pytest.mark.parametrize(
    ("headers", "csrf", "guard"),
    [
        ({"origin": "http://evil.example", "sec-fetch-site": "cross-site"}, "own", "origin"),
        ({"origin": "http://evil.example"}, "own", "origin"),
        ({"origin": "null", "sec-fetch-site": "same-origin"}, "own", "origin"),
        ({"sec-fetch-site": "same-site"}, "own", "origin"),
        ({}, "own", "origin"),
        ({"origin": "https://127.0.0.1:8480"}, "own", "origin"),
        ({"origin": "http://127.0.0.1:8480"}, "", "csrf"),
        ({"origin": "http://127.0.0.1:8480"}, "other session's", "csrf"),
    ],
)
async def test_forged_forms_are_refused_and_audited(world, sign_in, headers, csrf, guard) -> None:
    _, action_id = world.breach()
    page = await sign_in("alice")
    path = f"/actions/{action_id}"
    token = await form_token(page if csrf == "own" else await sign_in("bob"), path) if csrf else ""
    answer = await page.post(
        f"{path}/approve", data={"csrf": token, "digest": digest_of(world, action_id)}, headers=headers
    )
    assert answer.status_code == 403
    assert world.rows(schema.approvals) == []
    assert [(action, found) for _, action, found in world.refusals()] == [("action.approve", guard)]


async def test_without_a_session_a_form_is_refused(world, client, own) -> None:
    _, action_id = world.breach()
    digest = digest_of(world, action_id)
    answer = await client().post(
        f"/actions/{action_id}/approve", data={"digest": digest, "csrf": "x"}, headers=own
    )
    assert answer.status_code == 401
    assert world.refusals() == [("anonymous", "action.approve", "session")]


async def test_a_cookie_is_no_leave_for_the_api(world, sign_in, own) -> None:
    _, action_id = world.breach()
    page = await sign_in("alice")
    answer = await page.post(
        f"/api/actions/{action_id}/approve", json={"digest": digest_of(world, action_id)}, headers=own
    )
    assert (answer.status_code, answer.json()["guard"]) == (401, "token")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert world.refusals() == [("anonymous", "action.approve", "token")]


async def test_unknown_tokens_and_ids(world, client, tokens) -> None:
    _, action_id = world.breach()
    page = client()
    wrong = {"authorization": "Bearer nobody-0123456789abcdef0123456789abcdef"}
    answer = await page.post(f"/api/actions/{action_id}/approve", json={"digest": "0" * 64}, headers=wrong)
    assert (answer.status_code, answer.json()["guard"]) == (401, "token")
    other = "00000000-0000-8000-8000-000000000000"
    answer = await page.post(f"/api/actions/{other}/approve", json={}, headers=bearer(tokens, "alice"))
    assert (answer.status_code, answer.json()["guard"]) == (404, "not_found")
    assert "nobody-0123456789abcdef" not in str(world.rows(schema.audit))


async def test_an_approver_who_was_removed_has_no_session(world, client, sign_in, own) -> None:
    _, action_id = world.breach()
    page = await sign_in("alice")
    cookies = dict(page.cookies)
    world.approvers = tuple(person for person in world.approvers if person.name != "alice")
    later = client(cookies=cookies)
    answer = await later.post(f"/actions/{action_id}/approve", data={"digest": "x"}, headers=own)
    assert answer.status_code == 401


async def test_strangers_cannot_fill_the_audit_table(world, client) -> None:
    _, action_id = world.breach()
    page = client()
    for _ in range(70):
        await page.post(f"/api/actions/{action_id}/approve", json={})
    assert len(world.refusals()) == 60
    world.now += 60
    await page.post(f"/api/actions/{action_id}/approve", json={})
    assert len(world.refusals()) == 61


async def test_disabled_buttons_say_why(world, client, sign_in) -> None:
    _, action_id = world.breach()
    text = (await client().get(f"/actions/{action_id}")).text
    assert text.count("<button disabled") == 2
    assert "Only a named approver can decide." in text
    text = (await (await sign_in("ines")).get(f"/actions/{action_id}")).text
    assert "You may not approve for the data class restricted." in text
    assert text.count("<button disabled") == 1


def test_web_cannot_write_what_is_not_its_own(world) -> None:
    _, action_id = world.breach()
    with pytest.raises(WriteDeniedError), world.database.transaction() as connection:
        connection.execute(
            update(schema.actions).where(schema.actions.c.id == action_id).values(state="queued")
        )
    with pytest.raises(WriteDeniedError), world.database.transaction() as connection:
        connection.execute(update(schema.audit).values(outcome="allowed"))


async def test_no_token_is_ever_stored(world, client, sign_in, tokens) -> None:
    world.breach()
    page = await sign_in("alice")
    answer = await client().post("/api/session-links", headers=bearer(tokens, "bob"))
    secret = answer.json()["url"].rsplit("/", 1)[1]
    session = next(iter(page.cookies.jar)).value
    stored = b"".join(path.read_bytes() for path in world.folder.iterdir())
    for token in (tokens["alice"], tokens["bob"], secret, session, sessions.csrf_token(session)):
        assert token.encode() not in stored
