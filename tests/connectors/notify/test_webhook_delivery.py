"""The webhook notifier against a real HTTP server on loopback."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from pydantic import SecretStr

from config.errors import ConfigurationError
from config.notification import Webhook
from config.secret import Secret
from config.settings import Settings
from connectors.notify.catalogue import notifier_types, notifiers
from connectors.notify.webhook import WebhookNotifier
from playbooks.ports import NotDeliveredError

SECRET_PATH = "/hook/kanari-secret-path"
BEARER = "kanari-bearer"


class Server:
    """Answers with `status` and keeps what it got."""

    def __init__(self) -> None:
        self.status = 202
        self.location = ""
        self.got: list[tuple[str, dict[str, str], object]] = []
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                owner.got.append((self.path, dict(self.headers), json.loads(body)))
                self.send_response(owner.status)
                if owner.location:
                    self.send_header("Location", owner.location)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                return

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._http.serve_forever, daemon=True)
        self._thread.start()
        self.address = f"http://127.0.0.1:{self._http.server_port}"

    def stop(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.stop()


@pytest.fixture
def notifier(server: Server) -> Iterator[WebhookNotifier]:
    made = WebhookNotifier(
        Webhook(
            url=Secret(value=SecretStr(server.address + SECRET_PATH)),
            bearer=Secret(value=SecretStr(BEARER)),
            timeout_s=2,
            min_level="high",
        )
    )
    yield made
    made.close()


def test_a_page_arrives_once_named_by_its_key(server, notifier):
    notifier.send("n-1", {"title": "leaked"})

    path, headers, body = server.got[0]
    assert path == SECRET_PATH
    assert headers["Idempotency-Key"] == "n-1"
    assert headers["Authorization"] == f"Bearer {BEARER}"
    assert body == {"notification_id": "n-1", "title": "leaked"}


@pytest.mark.parametrize(
    ("status", "retry"), [(500, True), (503, True), (429, True), (400, False), (404, False)]
)
def test_an_error_answer_says_whether_to_try_again(server, notifier, status, retry):
    server.status = status
    with pytest.raises(NotDeliveredError, match=str(status)) as error:
        notifier.send("n-1", {})
    assert error.value.retry is retry


def test_a_redirect_is_not_followed_with_the_bearer(server, notifier):
    server.status, server.location = 307, server.address + "/elsewhere"
    with pytest.raises(NotDeliveredError) as error:
        notifier.send("n-1", {})
    assert error.value.retry is False
    assert [path for path, _, _ in server.got] == [SECRET_PATH]


def test_an_endpoint_that_is_away_is_worth_another_try_and_its_url_stays_secret(server, notifier):
    server.stop()
    with pytest.raises(NotDeliveredError) as error:
        notifier.send("n-1", {})
    assert error.value.retry is True
    told = f"{error.value} {error.value.__context__!r}"
    assert "kanari" not in told


@pytest.mark.parametrize(
    ("level", "wanted"), [("low", False), ("medium", False), ("high", True), ("critical", True)]
)
def test_only_levels_from_its_own_up_are_wanted(notifier, level, wanted):
    assert notifier.wants(level) is wanted


def test_the_listing_is_the_catalogue():
    assert list(notifier_types()) == ["webhook"]


def test_names_used_twice_and_missing_urls_are_told_together():
    url = Secret(value=SecretStr("http://127.0.0.1:1/"))
    sections = (Webhook(name="a", url=url), Webhook(name="a", url=url), Webhook(name="b"))
    with pytest.raises(ConfigurationError) as error:
        notifiers(Settings(notify=sections))
    assert [problem.key for problem in error.value.problems] == ["notify.1.name", "notify.2.url"]
