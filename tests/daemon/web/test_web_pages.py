"""What the pages show, that they show attackers' text as text, and that they stay small and work bare."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import pytest

from connectors.store import schema
from daemon.web.visible_text import visible

MARKUP = (
    '<script>alert(1)</script><img src=x onerror=alert(1)>"\'><a href="javascript:alert(1)">[x](javascript:1)'
)
HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cache-control": "no-store",
}


class Tags(HTMLParser):
    """Collects start tags with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def text_of(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


async def test_the_queue_shows_the_worst_first_and_what_each_waits_for(world, client) -> None:
    world.incident(2, level="medium", title="Mesh lowered", opened_at=world.now - 9000)
    world.incident(3, level="high", title="Trail stopped", status="acknowledged", acked_at=1.0, owner="bob")
    world.incident(4, level="low", title="Old one", status="closed", close_reason="benign", closed_at=1.0)
    world.breach()
    answer = await client().get("/")
    text = text_of(answer.text)
    assert answer.status_code == 200
    order = [text.index(word) for word in ("database password", "Trail stopped", "Mesh lowered", "Old one")]
    assert order == sorted(order)
    assert "3 open incidents" in text and "Kill switch off" in text
    assert text.index("Waits for your approval") < text.index("database password")
    assert "2 approvals to rotate database/customer-records" in text
    assert "somebody to acknowledge it" in text and "bob" in text and "proof A" in text


async def test_an_engaged_kill_switch_is_shown_on_the_queue(world, client) -> None:
    world.insert(schema.switches, name="global", engaged=True, by="carol", at=world.now - 5)
    text = text_of((await client().get("/")).text)
    assert "Kill switch is on" in text and "global: by carol" in text


async def test_the_incident_tells_the_machines_deeds_before_any_advice(world, client) -> None:
    incident_id, action_id = world.breach()
    answer = await client().get(f"/incidents/{incident_id}")
    text = text_of(answer.text)
    parts = [
        "never reads it",
        "What the machine already did",
        "What it waits for",
        "Proof, grade A",
        "Playbook: Leaked",
    ]
    places = [text.index(part) for part in parts]
    assert places == sorted(places)
    assert "refused 4 times over 3.4 s (28P01)" in text
    assert "Told the people on call through webhook" in text
    assert "4 tries" in text and "Sessions are gone" in text
    assert (
        "bao read &#x27;database/static-roles/analytics&#x27;" in answer.text
        or "database/static-roles/analytics" in text
    )
    assert "Grade now: A" in text
    assert "last drilled" in text and "never drilled" in text and "version 1.0.0" in text
    assert f'href="/actions/{action_id}"' in answer.text


async def test_a_failed_proof_is_never_shown_as_good(world, client) -> None:
    incident_id = world.incident()
    action_id = world.action(incident_id, "analytics", state="verify_failed", finished_at=world.now)
    world.proof(action_id, incident_id, grade=None)
    text = text_of((await client().get(f"/incidents/{incident_id}")).text)
    assert "Proof failed" in text and "treat it as alive" in text and "Old one is dead failed" in text
    assert "proved the old credential dead" not in text
    assert "a person: database/analytics is not proven" in text


async def test_the_plan_shows_digest_irreversible_steps_guards_and_way_back(world, client) -> None:
    _, action_id = world.breach()
    answer = await client().get(f"/actions/{action_id}")
    text = text_of(answer.text)
    digest = next(row["digest"] for row in world.rows(schema.actions) if row["id"] == action_id)
    assert digest in re.sub(r"\s", "", text)
    assert text.count("cannot be undone") == 2
    assert "Who feels it" in text and "Way back" in text and "0 of 2 given" in text
    assert "restricted needs 2 approvals" in text


@pytest.mark.parametrize("page", ["queue", "incident", "action", "api"])
async def test_attackers_text_stays_text(world, client, page) -> None:
    incident_id = world.incident(title=MARKUP, primary_id=MARKUP, owner=MARKUP)
    world.finding(
        incident_id,
        "x",
        1.0,
        [("pod", MARKUP, "actor"), ("credential", "database:" + MARKUP, "target")],
        title=MARKUP,
        explain=MARKUP,
        rule_id=MARKUP,
        source=MARKUP,
        level="high",
        event_time=MARKUP,
    )
    action_id = world.action(incident_id, target_owner=MARKUP, requester=MARKUP, reason=MARKUP, name=MARKUP)
    world.line(incident_id, world.now, "opened", MARKUP)
    path = {"queue": "/", "incident": f"/incidents/{incident_id}", "action": f"/actions/{action_id}"}
    answer = await client().get(path.get(page, f"/api/incidents/{incident_id}"))
    assert answer.status_code == 200
    if page == "api":
        assert answer.headers["content-type"] == "application/json"
        assert answer.json()["title"] == MARKUP
        return
    found = Tags(answer.text).tags
    assert {tag for tag, _ in found} & {"script", "img", "iframe", "object", "style"} == set()
    for _, attributes in found:
        assert not any(name.startswith("on") or name == "style" for name in attributes)
        assert not (attributes.get("href") or "").lower().startswith("javascript")
    assert "&lt;script&gt;alert(1)" in answer.text


async def test_characters_that_hide_or_turn_text_are_written_out(world, client) -> None:
    incident_id = world.incident(title="pod \u202eevil\u202c\u200b\x1b[31m", primary_id="a\x00b")
    world.finding(incident_id, "x", 1.0, [], explain="lone \ud800 surrogate")
    text = (await client().get(f"/incidents/{incident_id}")).text
    assert "pod \\u{202e}evil\\u{202c}\\u{200b}\\u{001b}[31m" in text
    assert "lone \\u{d800} surrogate" in text
    assert (await client().get(f"/api/incidents/{incident_id}")).json()["findings"][0]["explain"][
        5
    ] == "\ud800"
    assert not re.search("[\u202e\u202c\u200b\x1b\x00]", text)
    assert visible("tab\tline\nümlaut 日本") == "tab\tline\nümlaut 日本"


async def test_a_storm_keeps_every_page_below_100_kb(world, client) -> None:
    incident_id, _ = world.breach()
    for number in range(120):
        entities = [("pod", f"ns/{number}-{'p' * 400}", "actor")]
        world.finding(
            incident_id, f"storm{number}", float(number), entities, explain="x" * 5000, title="t" * 900
        )
        world.line(incident_id, world.now, "finding", "y" * 3000)
    for number in range(2, 130):
        world.incident(number, title="z" * 900, primary_id="q" * 900)
    for path in ("/", f"/incidents/{incident_id}"):
        answer = await client().get(path)
        assert answer.status_code == 200
        assert len(answer.content) < 100_000, path
    assert "of 129 are shown" in text_of((await client().get("/")).text)


async def test_every_answer_has_the_headers_and_nothing_needs_javascript(world, client) -> None:
    incident_id, action_id = world.breach()
    page = client()
    paths = [
        "/",
        f"/incidents/{incident_id}",
        f"/actions/{action_id}",
        "/session",
        "/nowhere",
        "/api/incidents",
    ]
    for path in paths:
        answer = await page.get(path)
        for name, value in HEADERS.items():
            assert answer.headers[name] == value, (path, name)
        assert "server" not in answer.headers
        tags = Tags(answer.text).tags
        assert not [tag for tag, _ in tags if tag == "script"]
        assert all("style" not in attributes for _, attributes in tags)
    style = await page.get("/static/davylamp.css")
    assert style.headers["content-type"].startswith("text/css")
    assert "immutable" in style.headers["cache-control"]
    assert "url(" not in style.text and "@import" not in style.text


async def test_pages_have_one_heading_labels_and_landmarks(world, client) -> None:
    incident_id, action_id = world.breach()
    for path in ("/", f"/incidents/{incident_id}", f"/actions/{action_id}", "/session"):
        html = (await client().get(path)).text
        tags = [tag for tag, _ in Tags(html).tags]
        assert tags.count("h1") == 1 and tags.count("main") == 1 and "nav" in tags and "footer" in tags, path
        ids = [attributes["id"] for _, attributes in Tags(html).tags if "id" in attributes]
        assert len(ids) == len(set(ids)), path
        labelled = re.findall(r'aria-(?:labelledby|describedby)="([^"]+)"', html)
        assert set(labelled) <= set(ids), path


def contrast(one: str, other: str) -> float:
    """The contrast of two #rrggbb colours (WCAG 2.2, 1.4.3)."""

    def light(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((light(one), light(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


async def test_every_colour_of_text_has_enough_contrast_by_day_and_by_night(client, world) -> None:
    sheet = (await client().get("/static/davylamp.css")).text
    schemes = re.findall(r":root \{(.*?)\}", sheet, re.S)
    assert len(schemes) == 2
    for scheme in schemes:
        colour = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", scheme))
        text = ("text", "muted", "link", "good", "warn", "bad", "critical", "high", "medium", "low")
        pairs = [(name, ground) for name in text for ground in ("bg", "raised")]
        pairs += [
            ("on-lamp", "lamp"),
            ("good", "good-bg"),
            ("warn", "warn-bg"),
            ("bad", "bad-bg"),
            ("text", "shade"),
        ]
        for name, ground in pairs:
            assert contrast(colour[name], colour[ground]) >= 4.5, (name, ground)


async def test_unknown_and_malformed_ids_are_a_readable_404(world, client) -> None:
    page = client()
    for path in (
        "/incidents/00000000-0000-8000-8000-000000000000",
        "/actions/..%2f..",
        "/incidents/1' OR 1=1--",
    ):
        answer = await page.get(path)
        assert answer.status_code == 404
        assert "<h1>" in answer.text and "Traceback" not in answer.text
    answer = await page.get("/api/actions/xyz")
    assert answer.json() == {
        "type": "urn:davylamp:guard:not_found",
        "title": "Not here",
        "status": 404,
        "detail": "There is nothing with this id.",
        "guard": "not_found",
    }


async def test_the_api_lists_in_order_of_change_and_gives_the_proof(world, client) -> None:
    incident_id, action_id = world.breach()
    world.incident(2, status="closed", closed_at=1.0)
    page = client()
    listed = (await page.get("/api/incidents?state=open")).json()
    assert [line["incident_id"] for line in listed["incidents"]] == [incident_id]
    later = (await page.get(f"/api/incidents?since_seq={listed['next_since_seq']}")).json()
    assert [line["status"] for line in later["incidents"]] == ["closed"]
    proofs = (await page.get(f"/api/incidents/{incident_id}/proof.json")).json()["proofs"]
    assert [(proof["schema"], proof["grade"]) for proof in proofs] == [("davylamp.proof/1", "A")]
    plan = (await page.get(f"/api/actions/{action_id}")).json()
    assert (plan["needed"], plan["given"], plan["target"]["class"]) == (2, 0, "restricted")
    assert json.dumps(plan["plan"])
    for query in ("state=x", "limit=-1", "since_seq=1e9", "limit=٣"):
        assert (await page.get(f"/api/incidents?{query}")).status_code == 400
