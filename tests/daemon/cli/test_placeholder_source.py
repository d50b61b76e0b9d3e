"""Placeholder values from outside: only what the settings name, bounded, without a shell or a redirect."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from config.detection import Detection, PlaceholderSources
from config.errors import ConfigurationError
from daemon.placeholder_source import fetcher
from daemon.ruleset import ruleset
from detectors.sigma.pipeline.source import Source, SourceError


class Values(BaseHTTPRequestHandler):
    """Answers two values, leads elsewhere, sends too much."""

    def do_GET(self) -> None:
        moved = self.path == "/moved"
        self.send_response(302 if moved else 200)
        if moved:
            self.send_header("Location", "/values")
        self.end_headers()
        self.wfile.write(b"x" * 5000 if self.path == "/much" else b"one\ntwo\n")

    def log_message(self, format: str, *args: Any) -> None:
        return


@pytest.fixture
def server() -> Iterator[str]:
    listening = ThreadingHTTPServer(("127.0.0.1", 0), Values)
    thread = threading.Thread(target=listening.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{listening.server_address[1]}"
    listening.shutdown()
    thread.join()
    listening.server_close()


def test_an_address_is_read_when_the_settings_name_it(server: str) -> None:
    url = f"{server}/values"
    assert fetcher(PlaceholderSources(http=(url,)))(Source("http", (url,))) == "one\ntwo\n"


def test_an_address_that_leads_elsewhere_or_sends_too_much_is_refused(server: str) -> None:
    moved, much = f"{server}/moved", f"{server}/much"
    fetch = fetcher(PlaceholderSources(http=(moved, much, "http://127.0.0.1:9/")))
    with pytest.raises(SourceError, match="answers 302"):
        fetch(Source("http", (moved,)))
    with pytest.raises(SourceError, match="more than 100 bytes"):
        fetch(Source("http", (much,), max_bytes=100))
    with pytest.raises(SourceError, match="cannot be read: ConnectError"):
        fetch(Source("http", ("http://127.0.0.1:9/",)))


def test_a_file_is_read_when_the_settings_name_it(tmp_path: Path) -> None:
    named, other = tmp_path / "named.txt", tmp_path / "other.txt"
    for path in (named, other):
        path.write_text("a\n", encoding="utf-8")
    fetch = fetcher(PlaceholderSources(file=(named,)))
    assert fetch(Source("file", (str(named),))) == "a\n"
    assert fetch(Source("file", (str(tmp_path / "x" / ".." / "named.txt"),))) == "a\n"
    with pytest.raises(SourceError, match=r"are off: .*other\.txt"):
        fetch(Source("file", (str(other),)))
    with pytest.raises(SourceError, match="cannot be read: No such file"):
        fetcher(PlaceholderSources(file=(tmp_path / "gone",)))(Source("file", (str(tmp_path / "gone"),)))


def test_a_program_is_run_when_the_settings_name_all_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAVYLAMP_SECRET", "hidden")
    words = (sys.executable, "-c", "import os; print(os.environ.get('DAVYLAMP_SECRET'))")
    fetch = fetcher(PlaceholderSources(command=(words,)))
    assert fetch(Source("command", words)) == "None\n"
    with pytest.raises(SourceError, match="are off"):
        fetch(Source("command", (*words, "--more")))


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("raise SystemExit(3)", "ends with 3"),
        ("import time; time.sleep(60)", "cannot be run: TimeoutExpired"),
        ("print('x' * 5000)", "more than 1000 bytes"),
        ("import os; os.write(1, bytes([255]))", "is not UTF-8"),
    ],
)
def test_a_program_that_gives_nothing_usable_is_told(code: str, told: str) -> None:
    words = (sys.executable, "-c", code)
    with pytest.raises(SourceError, match=told):
        fetcher(PlaceholderSources(command=(words,)))(Source("command", words, 0.5, 1000))


def test_the_settings_allow_a_source_that_a_pipeline_asks_for(tmp_path: Path) -> None:
    admins, rule, step = tmp_path / "admins.txt", tmp_path / "r.yml", tmp_path / "p.yml"
    admins.write_text("ada\nkim\n", encoding="utf-8")
    step.write_text(f"transformations: [{{type: file_placeholders, path: {admins}}}]\n", encoding="utf-8")
    rule.write_text(
        "title: t\nid: 5f0d6c58-30fb-4b0c-9d9e-6f6b7a0d9a01\nlogsource: {product: aws}\n"
        "detection: {s: {user|expand: '%admins%'}, condition: s}\n",
        encoding="utf-8",
    )
    asked = Detection(builtin_rules=False, rules=(rule,), pipelines=(step,))
    with pytest.raises(ConfigurationError, match=r"p\.yml:1: transformations\[0\]: .*are off"):
        ruleset(asked)
    allowed = asked.model_copy(update={"placeholder_sources": PlaceholderSources(file=(admins,))})
    assert len(ruleset(allowed).rules) == 1
