"""Cutting off consumers by page and API: who may, about which list, and what is written down."""

from __future__ import annotations

import json

import pytest

from connectors.store import audit, forcing, schema
from playbooks.consumers import Sighting
from playbooks.convergence import Convergence
from playbooks.policy import ApproverRef, Policy

LEFT = ("<b>batch</b>", "report")


@pytest.fixture
def waiting(world) -> str:
    """An action that waits for two consumers of three."""
    action_id = world.action(world.incident(), state="executing", expires_at=world.now - 5)
    known = Convergence()
    seen = [Sighting("session", "old", world.now, name, "10.0.0.1") for name in LEFT]
    moved = Sighting("session", "new", world.now, "api", "10.0.0.2")
    first = [*seen, Sighting("session", "old", world.now, "api", "10.0.0.1")]
    known.look(first, (), since=world.now, now=world.now, window_s=5)
    known.look([*seen, moved], (), since=world.now, now=world.now + 1, window_s=5)
    context = json.dumps({"kept": known.to_json()})
    world.insert(
        schema.steps,
        action_id=action_id,
        ordinal=5,
        name="consumers",
        state="intended",
        attempt=3,
        context=context,
    )
    return action_id


def bearer(tokens, name: str) -> dict[str, str]:
    return {"authorization": f"Bearer {tokens[name]}"}


async def digest_of(page, action_id: str) -> str:
    known = (await page.get(f"/api/actions/{action_id}")).json()["consumers"]
    assert known["left"] == sorted(LEFT)
    assert known["cut_off_needed"] == 2
    return known["cut_off_digest"]


async def test_two_people_cut_off_who_is_left_by_page_and_api(
    world, client, sign_in, own, tokens, waiting
) -> None:
    page = await sign_in("alice")
    text = (await page.get(f"/actions/{waiting}")).text
    assert "2 of 3 have not moved" in text
    assert "&lt;b&gt;batch&lt;/b&gt;" in text and "<b>batch" not in text
    digest = await digest_of(page, waiting)
    csrf = text.split('name="csrf" value="')[-1].split('"')[0]
    form = {"csrf": csrf, "digest": digest}
    answer = await page.post(f"/actions/{waiting}/force", data=form, headers=own)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/actions/{waiting}?done=force")
    policy = Policy(approvers=(ApproverRef("alice"), ApproverRef("bob")))
    assert forcing.agreed(world.writer, waiting, policy) == frozenset(), "restricted takes two"
    assert "alice did" in (await page.get(f"/actions/{waiting}")).text

    answer = await client().post(
        f"/api/actions/{waiting}/force", json={"digest": digest}, headers=bearer(tokens, "bob")
    )
    assert answer.status_code == 200
    assert forcing.agreed(world.writer, waiting, policy) == frozenset(LEFT)
    with world.writer.reading() as connection:
        assert audit.verify(connection) == []


@pytest.mark.parametrize(
    ("who", "changes", "digest", "status", "guard"),
    [
        ("alice", {}, "0" * 64, 409, "digest"),
        ("ines", {}, "", 403, "class"),
        ("alice", {"requester": "alice"}, "", 403, "requester"),
        ("alice", {"target_owner": "alice"}, "", 403, "owner"),
        ("alice", {"state": "succeeded"}, "", 409, "state"),
        ("alice", {"state": "proposed"}, "", 409, "state"),
    ],
)
async def test_who_may_not_is_refused_and_audited(
    world, client, tokens, waiting, who, changes, digest, status, guard
) -> None:
    page = client()
    given = digest or await digest_of(page, waiting)
    world.set_action(waiting, **changes) if changes else None
    answer = await page.post(
        f"/api/actions/{waiting}/force", json={"digest": given}, headers=bearer(tokens, who)
    )
    assert (answer.status_code, answer.json()["guard"]) == (status, guard)
    assert world.refusals() == [(who, "action.force", guard)]
    assert forcing.agreed(world.writer, waiting, Policy(approvers=(ApproverRef("alice"),))) == frozenset()


async def test_without_a_token_nobody_is_cut_off(world, client, waiting) -> None:
    answer = await client().post(f"/api/actions/{waiting}/force", json={"digest": "0" * 64})
    assert answer.status_code == 401
