"""The shipper sends whole lines, once each, in order, and nothing from before it began."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from daemon.demo.audit_shipper import AuditShipper
from daemon.demo.pipe import Pipe
from daemon.demo.traffic.record import Record


class Sink:
    """A pipe that only remembers."""

    def __init__(self) -> None:
        self.values: list[bytes] = []

    async def send(self, records: Sequence[Record]) -> None:
        self.values.extend(record.value for record in records)


async def test_a_line_still_being_written_waits_until_it_is_whole(tmp_path: Path) -> None:
    file, sink = tmp_path / "audit", Sink()
    file.write_bytes(b"set-up\n")
    shipper = AuditShipper(file, cast(Pipe, sink))
    with file.open("ab", buffering=0) as log:
        log.write(b"one\ntw")
        await shipper.ship()
        assert sink.values == [b"one"]
        log.write(b"o\n")
        await shipper.ship()
        await shipper.ship()
    assert sink.values == [b"one", b"two"]
    assert shipper.shipped == 2


async def test_an_empty_file_ships_nothing(tmp_path: Path) -> None:
    file, sink = tmp_path / "audit", Sink()
    file.touch()
    shipper = AuditShipper(file, cast(Pipe, sink))
    await shipper.ship()
    assert sink.values == []


async def test_while_it_is_held_nothing_is_shipped_and_afterwards_everything(tmp_path: Path) -> None:
    file, sink = tmp_path / "audit", Sink()
    file.touch()
    shipper = AuditShipper(file, cast(Pipe, sink))
    running = asyncio.create_task(shipper.run())
    async with shipper.held():
        file.write_bytes(b"one\n")
        await asyncio.sleep(0.2)
        assert sink.values == []
    await asyncio.sleep(0.2)
    running.cancel()
    assert sink.values == [b"one"]
