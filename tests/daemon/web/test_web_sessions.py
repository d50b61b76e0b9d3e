"""Links, sessions, hosts and bodies: what gets in and what does not."""

from __future__ import annotations

import json

import pytest

from connectors.store import schema


async def link(client, tokens, name: str = "alice") -> str:
    answer = await client().post("/api/session-links", headers={"authorization": f"Bearer {tokens[name]}"})
    assert answer.status_code == 201
    assert answer.json()["approver"] == name
    return answer.json()["url"]


async def test_a_link_is_shown_often_and_spent_once(world, client, own, tokens) -> None:
    url = await link(client, tokens)
    page = client()
    for _ in range(3):
        answer = await page.get(url)
        assert answer.status_code == 200 and "Continue as alice" in answer.text
        assert not page.cookies
    answer = await page.post(
        url, content="", headers={**own, "content-type": "application/x-www-form-urlencoded"}
    )
    assert answer.status_code == 303
    cookie = answer.headers["set-cookie"]
    assert (
        "HttpOnly" in cookie and "SameSite=strict" in cookie and "Path=/" in cookie and "Secure" not in cookie
    )
    assert "alice" in (await page.get("/")).text
    again = client()
    assert (await again.get(url)).status_code == 410
    answer = await again.post(url, data={"x": "1"}, headers=own)
    assert answer.status_code == 410 and "set-cookie" not in answer.headers
    assert world.refusals() == [("anonymous", "session.open", "link")]


async def test_an_expired_link_is_refused(world, client, own, tokens) -> None:
    url = await link(client, tokens)
    world.now += 15 * 60 + 1
    assert (await client().get(url)).status_code == 410
    assert (await client().post(url, data={"x": "1"}, headers=own)).status_code == 410
    assert world.rows(schema.sessions) == []


async def test_a_link_cannot_be_spent_from_another_site(world, client, tokens) -> None:
    url = await link(client, tokens)
    foreign = {"origin": "http://evil.example", "sec-fetch-site": "cross-site"}
    assert (await client().post(url, data={"x": "1"}, headers=foreign)).status_code == 403
    assert world.rows(schema.session_links)[0]["used_at"] is None


async def test_links_need_an_approvers_token(world, client) -> None:
    assert (await client().post("/api/session-links")).status_code == 401
    assert world.rows(schema.session_links) == []


async def test_a_session_ends_by_time_and_by_signing_out(world, client, sign_in, own) -> None:
    page = await sign_in("alice")
    text = (await page.get("/")).text
    csrf = text.split('name="csrf" value="')[1].split('"')[0]
    assert (await page.post("/logout", data={"csrf": "wrong"}, headers=own)).status_code == 403
    assert (await page.post("/logout", data={"csrf": csrf}, headers=own)).status_code == 303
    assert world.rows(schema.sessions) == []
    other = await sign_in("bob")
    world.now += 8 * 3600 + 1
    assert "bob" not in (await other.get("/")).text


async def test_a_wrong_token_opens_no_session_and_is_audited(world, client, own) -> None:
    answer = await client().post("/session", data={"token": "guess"}, headers=own)
    assert answer.status_code == 401 and "set-cookie" not in answer.headers
    assert world.refusals() == [("anonymous", "session.open", "token")]
    assert "guess" not in json.dumps(world.rows(schema.audit))


async def test_by_https_the_cookie_is_bound_to_the_host(world, client, own, tokens) -> None:
    world.web = {"base_url": "https://lamp.example"}
    page = client()
    headers = {"host": "lamp.example", "origin": "https://lamp.example", "sec-fetch-site": "same-origin"}
    answer = await page.post("/session", data={"token": tokens["alice"]}, headers=headers)
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-davylamp_session=") and "Secure" in cookie
    assert answer.headers["strict-transport-security"] == "max-age=31536000"
    plain = {**headers, "origin": "http://lamp.example"}
    assert (await page.post("/session", data={"token": tokens["alice"]}, headers=plain)).status_code == 403


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost@evil.example",
        "",
        "[::1",
        "localhost:99999999",
        "localhost/x",
    ],
)
async def test_unknown_hosts_are_refused_before_anything_else(world, client, host) -> None:
    answer = await client().get("/", headers={"host": host})
    assert answer.status_code == 421
    assert "content-security-policy" in answer.headers


@pytest.mark.parametrize("host", ["localhost:8480", "127.0.0.1", "[::1]:1", "LOCALHOST"])
async def test_loopback_names_are_served(world, client, host) -> None:
    assert (await client().get("/", headers={"host": host})).status_code == 200


async def test_beyond_loopback_reading_needs_a_session_too(world, client, sign_in, tokens) -> None:
    incident_id, action_id = world.breach()
    world.open_reading = False
    page = client()
    for path in ("/", f"/incidents/{incident_id}", f"/actions/{action_id}"):
        answer = await page.get(path)
        assert answer.status_code == 401 and "Sign in" in answer.text
        assert "analytics" not in answer.text
    assert (await page.get("/api/incidents")).status_code == 401
    headers = {"authorization": f"Bearer {tokens['alice']}"}
    assert (await page.get("/api/incidents", headers=headers)).status_code == 200
    assert (await (await sign_in("alice")).get("/")).status_code == 200


async def test_bodies_are_bounded_and_typed(world, client, own, tokens) -> None:
    _, action_id = world.breach()
    page, bearer = client(), {"authorization": f"Bearer {tokens['alice']}"}
    path = f"/api/actions/{action_id}/approve"
    assert (await page.post(path, content=b"x" * 20_000, headers=bearer)).status_code == 413

    async def chunks():
        for _ in range(40):
            yield b"x" * 1000

    assert (await page.post(path, content=chunks(), headers=bearer)).status_code == 413
    deep = b"[" * 16_000
    for content in (b"{", b"[]", b'"x"', b"\xff", deep):
        answer = await page.post(
            path, content=content, headers={**bearer, "content-type": "application/json"}
        )
        assert answer.status_code == 400, content[:10]
    assert (
        await page.post(path, content=b"{}", headers={**bearer, "content-type": "text/plain"})
    ).status_code == 415
    answer = await page.post(
        "/session", content=b"\xff=1", headers={**own, "content-type": "application/x-www-form-urlencoded"}
    )
    assert answer.status_code == 400
    answer = await page.post("/session", files={"token": ("a", b"b")}, headers=own)
    assert answer.status_code == 415


async def test_acknowledging_by_page_and_api_counts_once(world, client, sign_in, own, tokens) -> None:
    incident_id, _ = world.breach()
    page = await sign_in("alice")
    text = (await page.get(f"/incidents/{incident_id}")).text
    csrf = text.split('name="csrf" value="')[-1].split('"')[0]
    answer = await page.post(f"/incidents/{incident_id}/acknowledge", data={"csrf": csrf}, headers=own)
    assert answer.status_code == 303
    assert "It is yours now" in (await page.get(answer.headers["location"])).text
    bearer = {"authorization": f"Bearer {tokens['alice']}"}
    answer = await client().post(f"/api/incidents/{incident_id}/acknowledge", headers=bearer)
    assert answer.json() == {"incident_id": incident_id, "person": "alice", "new": False}
    assert [(row["person"], row["incident_id"]) for row in world.rows(schema.acknowledgements)] == [
        ("alice", incident_id)
    ]
    closed = world.incident(9, status="closed")
    answer = await client().post(f"/api/incidents/{closed}/acknowledge", headers=bearer)
    assert (answer.status_code, answer.json()["guard"]) == (409, "state")
