"""A person with a phone, at night, without JavaScript: from the link to the approval, by clicking."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, sync_playwright
from prometheus_client import CollectorRegistry

from config.response import Response
from config.secret import Secret
from config.settings import Settings
from config.web import Web
from connectors.store import schema
from daemon.roles.web import run
from daemon.runtime import Health, Runtime

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PHONE = {"width": 390, "height": 844}

pytestmark = [pytest.mark.browser, pytest.mark.integration]


@pytest.fixture
def address(world) -> Iterator[str]:
    """The web role over the seeded database, its clock the world's."""
    registry = CollectorRegistry()
    role = Runtime("web", Health(lambda: world.now, registry), registry, lambda: world.now, asyncio.Event())
    web = Web(port=0, approvers=world.approvers)
    settings = Settings(web=web, response=Response(database_url=Secret(value=world.url)))
    loops: list[asyncio.AbstractEventLoop] = []

    async def serve() -> None:
        loops.append(asyncio.get_running_loop())
        await run(settings, role)

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    for _ in range(500):
        if "url" in role.status():
            break
        time.sleep(0.02)
    yield str(role.status()["url"])
    loops[0].call_soon_threadsafe(role.stop.set)
    thread.join(10)
    assert not thread.is_alive()


@pytest.fixture
def browser(browser_path) -> Iterator[Browser]:
    with sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=browser_path, args=FLAGS)
        yield opened
        opened.close()


def phone(browser: Browser, scheme: str = "dark") -> BrowserContext:
    return browser.new_context(viewport=PHONE, color_scheme=scheme, java_script_enabled=False)


def overflow(browser: Browser, url: str, width: int) -> int:
    """How many pixels a page is wider than the screen (measured in a context that may run scripts)."""
    context = browser.new_context(viewport={"width": width, "height": 844}, bypass_csp=True)
    page = context.new_page()
    page.goto(url)
    wider = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    context.close()
    return wider


def test_approving_on_a_phone_by_clicking(world, address, browser, tokens, tmp_path) -> None:
    incident_id, action_id = world.breach()
    problems: list[str] = []
    with phone(browser) as context:
        page = context.new_page()
        page.on("console", lambda message: problems.append(message.text))
        request = context.request
        link = request.post(
            f"{address}/api/session-links", headers={"Authorization": f"Bearer {tokens['alice']}"}
        ).json()["url"]
        page.goto(link)
        page.get_by_role("button", name="Continue as alice").click()
        page.get_by_role("link", name="A database password was read").click()
        page.get_by_role("button", name="Acknowledge").click()
        page.get_by_text("It is yours now").wait_for()
        page.screenshot(path=tmp_path / "incident.png", full_page=True)
        page.get_by_role("link", name="Plan for database/customer-records").click()
        page.get_by_text("cannot be undone").first.wait_for()
        page.get_by_role("button", name="Approve this plan").click()
        page.get_by_text("Your approval is recorded").wait_for()
        assert page.get_by_role("button", name="Approve this plan").is_disabled()
        page.screenshot(path=tmp_path / "plan.png", full_page=True)
        page.goto(link)
        page.get_by_text("was used before").wait_for()
    assert problems == [text for text in problems if "410" in text]
    assert (tmp_path / "incident.png").stat().st_size > 20_000
    assert [(row["approver"], row["via"]) for row in world.rows(schema.approvals)] == [("alice", "page")]
    assert [row["incident_id"] for row in world.rows(schema.acknowledgements)] == [incident_id]
    assert action_id == world.rows(schema.approvals)[0]["action_id"]


def test_no_page_scrolls_sideways_at_phone_width(world, address, browser) -> None:
    incident_id, action_id = world.breach()
    world.incident(2, title="n" * 400, primary_id="arn:" + "x" * 400)
    for path in ("/", f"/incidents/{incident_id}", f"/actions/{action_id}", "/session", "/nowhere"):
        for width in (320, 390, 820, 1280):
            assert overflow(browser, address + path, width) <= 0, (path, width)


def test_a_form_on_another_site_cannot_approve(world, address, browser, tokens) -> None:
    _, action_id = world.breach()
    digest = next(row["digest"] for row in world.rows(schema.actions) if row["id"] == action_id)
    forged = (
        f'<form method="post" action="{address}/actions/{action_id}/approve">'
        f'<input name="digest" value="{digest}"><button>win a prize</button></form>'
    )
    with phone(browser) as context:
        page = context.new_page()
        page.goto(f"{address}/session")
        page.get_by_label("Your approver token").fill(tokens["alice"])
        page.get_by_role("button", name="Sign in").click()
        page.route("http://evil.example/", lambda route: route.fulfill(body=forged, content_type="text/html"))
        page.goto("http://evil.example/")
        page.get_by_role("button", name="win a prize").click()
        page.get_by_text("Foreign request").wait_for()
    assert world.rows(schema.approvals) == []
    assert ("anonymous", "action.approve", "origin") in world.refusals()
