"""The view, the verdict and the small parts: what is shown is what is so."""

from __future__ import annotations

import io
import os
from pathlib import Path

import httpx
import pytest
from rich.console import Console
from rich.spinner import Spinner

from daemon.demo.accounts import account, anything_lost
from daemon.demo.board import Board, StageLine
from daemon.demo.live import draw, shown
from daemon.demo.pager import Pager
from daemon.demo.result import Result
from daemon.demo.scene import sweep
from daemon.demo.watching import Found


def test_without_a_terminal_every_change_is_one_plain_line() -> None:
    stream, board = io.StringIO(), Board(stages=[StageLine(1, "a login", "cloud")])
    with shown(board, stream):
        board.begin("parts")
        board.end("up")
        board.played(1)
        board.found(1, "high: seen")
        board.fact("incident #1")
    assert stream.getvalue().splitlines() == [
        "parts ...", "parts: up", "stage  1  a login", "found  1  high: seen", "incident #1",
    ]  # fmt: skip
    assert "\x1b" not in stream.getvalue()


def test_the_board_shows_steps_stages_facts_and_address_and_takes_no_markup() -> None:
    board = Board(
        stages=[StageLine(n, f"stage {n}", "cloud") for n in range(1, 11)], address="http://127.0.0.1:1"
    )
    board.begin("parts")
    board.fail("[red]broken[/red]")
    board.played(2)
    board.fact("[bold]incident[/bold]")
    console = Console(file=io.StringIO(), width=120, force_terminal=True)
    console.print(draw(board, Spinner("dots")))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "[red]broken[/red]" in text and "[bold]incident[/bold]" in text
    assert "stage 10" in text and "http://127.0.0.1:1" in text


def test_a_demo_without_facts_or_with_one_that_fails_is_not_ok() -> None:
    assert not Result().ok
    assert not Result(facts={"a": True, "b": False}).ok
    assert Result(facts={"a": True, "b": False}).failures == ["b"]
    assert Result(facts={"a": True}).ok


def test_the_document_has_the_contracts_keys_even_when_nothing_happened() -> None:
    document = Result().to_json()
    assert document["ok"] is False and document["proof"] is None
    assert document["timeline"] == {"first_event": None, "detected": None, "contained": None, "proven": None}
    assert "second_pass" not in document
    assert Result(second_pass={"incidents": 0, "actions": 0, "pages": 0}).to_json()["second_pass"]


def test_the_timeline_says_never_for_what_did_not_happen() -> None:
    lines = Result(first_event=100.0, detected=100.5).timeline_lines()
    assert lines[1].endswith("+0.5 s") and lines[2].endswith("never")


def test_a_record_that_nobody_accounts_for_breaks_a_law() -> None:
    detect = {"conservation": {"cloudtrail": {"records:read": 9, "events:accepted": 9}}}
    forward = {"conservation": {"file": {"cloudtrail": {"items:read": 8, "items:delivered": 8}}}}
    laws = account(detect, forward, 10)["violations"]
    assert len(laws) == 2 and "10 were sent" in laws[0] and "accepted 9" in laws[1]
    forward["conservation"]["file"]["cloudtrail"] = {"items:read": 9, "items:delivered": 9}
    assert account(detect, forward, 9)["violations"] == []


def test_a_loss_is_seen_wherever_it_stands() -> None:
    assert not anything_lost({"detect": {}, "forward": {"file": {"a": 0}}})
    assert anything_lost({"detect": {}, "forward": {"file": {"a": 1}}})


@pytest.mark.parametrize(
    ("event_id", "named"), [("m1", True), ("m1/response", True), ("m12/response", False), ("x/m1", False)]
)
def test_a_marker_names_exactly_the_events_that_it_begins(event_id: str, named: bool) -> None:
    found = Found("f", "t", "high", "final", (event_id,), "i", 1.0)
    assert found.names("m1") is named


def test_the_same_page_twice_is_one_page_and_a_stranger_pages_nobody() -> None:
    pager = Pager()
    pager.start()
    try:
        headers = {"Authorization": f"Bearer {pager.bearer}", "Idempotency-Key": "k1"}
        with httpx.Client(trust_env=False) as client:
            for _ in range(2):
                assert client.post(pager.url, json={"title": "t"}, headers=headers).status_code == 204
            assert client.post(pager.url, json={}, headers={"Idempotency-Key": "k2"}).status_code == 401
    finally:
        pager.stop()
    assert (pager.rings, pager.pages) == (2, {"k1": {"title": "t"}})


def test_only_the_folders_of_dead_demos_are_swept(tmp_path: Path) -> None:
    gone, alive, stranger = (tmp_path / f"davylamp-demo-{name}" for name in ("gone", "alive", "stranger"))
    for folder in (gone, alive, stranger, tmp_path / "other"):
        folder.mkdir()
    (gone / "pid").write_text("4194305")
    (alive / "pid").write_text(str(os.getpid()))
    assert sweep(tmp_path) == [gone]
    assert not gone.exists() and alive.exists() and stranger.exists()
