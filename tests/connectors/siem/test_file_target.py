"""The file target: synced before it counts, rotated, whole lines only."""

from __future__ import annotations

import json
import stat

import pytest

from connectors.ecs.stream import Document
from connectors.siem.file import FileSiem
from connectors.siem.target import TargetAwayError


def documents(count, stream="events", filler=""):
    return [
        Document.of(stream, f"e{n}", {"event": {"id": f"e{n}"}, "message": filler}, "default", 0.0)
        for n in range(count)
    ]


def target(folder, max_bytes=1 << 20, keep=3):
    return FileSiem("file", folder, "default", max_bytes, keep)


def ids(path):
    return [json.loads(line)["event"]["id"] for line in path.read_text().splitlines()]


async def test_each_stream_has_its_file(tmp_path):
    siem = target(tmp_path / "siem")
    await siem.open()
    outcomes = await siem.deliver([*documents(2), *documents(1, "alerts")])
    await siem.close()
    assert [outcome.ending for outcome in outcomes] == ["delivered"] * 3
    folder = tmp_path / "siem"
    assert sorted(path.name for path in folder.iterdir()) == [
        "logs-davylamp.alerts-default.jsonl",
        "logs-davylamp.events-default.jsonl",
    ]
    events = folder / "logs-davylamp.events-default.jsonl"
    assert ids(events) == ["e0", "e1"]
    assert stat.S_IMODE(events.stat().st_mode) == 0o600 and stat.S_IMODE(folder.stat().st_mode) == 0o700


async def test_rotation_keeps_the_newest_parts(tmp_path):
    siem = target(tmp_path, max_bytes=2_000, keep=2)
    await siem.open()
    for _ in range(20):
        await siem.deliver(documents(3, filler="x" * 300))
    names = sorted(path.name for path in tmp_path.iterdir())
    base = "logs-davylamp.events-default.jsonl"
    assert names == [base, f"{base}.1", f"{base}.2"]
    assert all((tmp_path / name).stat().st_size <= 2_000 for name in names)


async def test_a_batch_larger_than_a_file_is_split_and_whole(tmp_path):
    siem = target(tmp_path, max_bytes=5_000, keep=50)
    await siem.open()
    await siem.deliver(documents(60, filler="y" * 200))
    found = [one for path in tmp_path.iterdir() for one in ids(path)]
    assert sorted(found) == sorted(f"e{n}" for n in range(60))


async def test_a_line_that_a_crash_left_is_cut(tmp_path):
    path = tmp_path / "logs-davylamp.events-default.jsonl"
    path.write_bytes(b'{"event":{"id":"old"}}\n{"event":{"id":"to' + b"r" * 200_000)
    siem = target(tmp_path)
    await siem.open()
    await siem.deliver(documents(1))
    assert ids(path) == ["old", "e0"]


async def test_a_folder_that_cannot_be_is_away(tmp_path):
    (tmp_path / "siem").write_text("a file")
    with pytest.raises(TargetAwayError, match=r"file: .*siem"):
        await target(tmp_path / "siem").open()


async def test_a_disk_that_refuses_is_away_and_leaves_no_half_line(tmp_path):
    siem = target(tmp_path / "siem")
    await siem.open()
    await siem.deliver(documents(1))
    (tmp_path / "siem").rename(tmp_path / "gone")
    with pytest.raises(TargetAwayError):
        await siem.deliver(documents(1))
    (tmp_path / "gone").rename(tmp_path / "siem")
    await siem.deliver(documents(1))
    assert ids(tmp_path / "siem/logs-davylamp.events-default.jsonl") == ["e0", "e0"]


async def test_a_text_with_newlines_stays_one_line(tmp_path):
    siem = target(tmp_path)
    await siem.open()
    await siem.deliver(documents(1, filler="a\nb\u2028c\r\n"))
    assert (tmp_path / "logs-davylamp.events-default.jsonl").read_bytes().count(b"\n") == 1
