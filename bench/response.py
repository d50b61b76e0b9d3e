"""A theft to the old password proven dead, and an approver's click to the first call, on real parts.

Run: ``python bench/response.py --runs 50 [--write docs/benchmarks-response.md]``. The demo's parts are
started once: OpenBao, PostgreSQL, an embedded broker, `davylamp run` with all its roles. Each run steals the
password of `analytics` from the vault through a pod that was entered (two signals: the rotation starts by
itself), then that of `customer-records` (restricted: two people approve through the API).
"""

from __future__ import annotations

import argparse
import asyncio
import datetime
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
from sqlalchemy import select

from connectors.store import incidents, schema
from connectors.store.database import Database
from daemon.demo.attack import Attack
from daemon.demo.audit_shipper import AuditShipper
from daemon.demo.drill import ask_for_drill
from daemon.demo.pages import address
from daemon.demo.pipe import Pipe
from daemon.demo.scene import Scene
from daemon.demo.thief import Thief
from daemon.demo.traffic.mixture import week
from daemon.demo.traffic.record import KUBERNETES, seeded
from daemon.demo.vault_scene import ENTERED
from daemon.demo.watching import ANALYTICS_KEY, CUSTOMERS_KEY
from detectors.finding import parse_rfc3339

DEAD_P99_S: Final = 10.0
CLICK_P99_S: Final = 0.5
WAIT_S: Final = 60.0
LOOK_S: Final = 0.02
SEED: Final = 7
PLENTY: Final = 100_000
CALLED: Final = "database/static-roles/customer-records"
PAGE: Final = """# Response: measured

Written by `python bench/response.py --runs {runs} --write docs/benchmarks-response.md` on {date}:
{runs} runs, {cores} cores ({machine}), Python {python}, load average {load:.1f} when it ended (other work was
going on; this ran at niceness {nice}). Of fewer than 100 runs the p99 is the worst.

| seconds | median | p99 | worst | best | aim (p99) |
|---|---|---|---|---|---|
{rows}

Proofs of grade A: {graded} of {runs}.

What is real: the vault (OpenBao), the database (PostgreSQL), the thief's read, the vault's audit log as it is
shipped, all five roles as `davylamp run` starts them, the approvals through the API. What is played: the
record of the exec into the pod. The broker is the demo's (Tansu), the database of record SQLite.

The first figure runs from just before the vault is asked for the password to the time of the proof, and
holds the 3 s over which a proof of grade A must see the old password refused. The second runs from just
before the last approver's request to the vault's own audit time of the first call about that target.
Caps and rest are lifted, since one target is rotated again and again; all other guards decide.
"""
RULE: Final = """
title: A database password was read from the vault
id: 5f2b1b86-53e0-4a52-9d0f-6f0a2f7d8c11
description: Every read is a theft here; the shipped baseline tells a reader's first read only.
logsource: {product: vault, service: audit}
detection:
  answered: {type: response, request.operation: read, error: null}
  path: {request.path|contains: '/static-creds/'}
  condition: answered and path
level: high
davylamp: {playbook: leaked-credential, version: 1}
"""


class BenchScene(Scene):
    """The demo's stage where one target may be rotated again and again."""

    def _configured(self, document: dict[str, Any]) -> dict[str, Any]:
        rules = self.folder / "rules"
        rules.mkdir(exist_ok=True)
        (rules / "read.yml").write_text(RULE, encoding="utf-8")
        document["detection"]["rules"] = [str(rules)]
        document["response"] |= {
            "cooldown_success_s": 0.0,
            "caps": {"per_actor_hour": PLENTY, "per_owner_hour": PLENTY, "site_hour": PLENTY},
        }
        return document


@dataclass
class Figures:
    """Seconds, one of each a run."""

    dead: list[float] = field(default_factory=list[float])
    click: list[float] = field(default_factory=list[float])
    recorded: list[float] = field(default_factory=list[float])
    grades: list[str] = field(default_factory=list[str])


class Bench:
    """Plays thefts on a stage whose daemon runs."""

    def __init__(self, scene: Scene, pipe: Pipe) -> None:
        self._scene = scene
        self._pipe = pipe
        self._database = Database(scene.files.database_url)
        self._pages = address(scene.daemon, scene.settings)
        workload = scene.platform.workload(ENTERED)
        stolen = scene.vault_scene.stolen
        self._thief = Thief(scene.vault, scene.postgres, workload, workload.pods[0], stolen)
        self._attack = Attack(scene.platform, seeded("bench", SEED, time.time_ns()))
        self.figures = Figures()

    async def rehearse(self) -> None:
        """Drill `analytics`: nothing starts by itself without."""
        made = ask_for_drill(self._scene.settings, "analytics", time.time())
        await self._until(lambda: self._proof(made), "the drill's proof")

    async def run(self) -> None:
        """One theft of each password. Raises RuntimeError when something does not come."""
        deed = self._attack.exec_into_pod(time.time())
        assert deed.record is not None
        await self._pipe.send([deed.record])
        await self._contained()
        await self._approved()
        self._close()

    async def _contained(self) -> None:
        known = self._actions(ANALYTICS_KEY)
        stolen_at = time.time()
        await asyncio.to_thread(self._thief.read_password)
        action = await self._new(ANALYTICS_KEY, known)
        proof = await self._until(lambda: self._proof(action), f"a proof, {self._why(action)}")
        self.figures.dead.append(parse_rfc3339(str(proof["proven_at"])) - stolen_at)
        self.figures.grades.append(str(proof["grade"]))

    async def _approved(self) -> None:
        known = self._actions(CUSTOMERS_KEY)
        await asyncio.to_thread(self._thief.read_more)
        action = await self._new(CUSTOMERS_KEY, known)
        place = self._scene.vault.audit_file.stat().st_size
        *others, last = self._scene.files.approvers.values()
        for token in others:
            await asyncio.to_thread(self._click, action, token)
        clicked_at = time.time()
        await asyncio.to_thread(self._click, action, last)
        recorded_at = time.time()
        called_at = await self._until(lambda: self._called(place, clicked_at), "a call")
        self.figures.click.append(called_at - clicked_at)
        self.figures.recorded.append(recorded_at - clicked_at)
        await self._until(lambda: self._proof(action), "a proof")

    def _click(self, action: str, token: str) -> None:
        url = f"{self._pages}/api/actions/{action}/approve"
        with self._database.reading() as connection:
            table = schema.actions
            digest = connection.execute(select(table.c.digest).where(table.c.id == action)).scalar_one()
        headers = {"Authorization": f"Bearer {token}"}
        httpx.post(url, json={"digest": digest}, headers=headers, trust_env=False).raise_for_status()

    def _called(self, place: int, since: float) -> float | None:
        """Return when the vault took the first call about the approved target, by its own audit log."""
        with self._scene.vault.audit_file.open("rb") as file:
            file.seek(place)
            for line in file.read().splitlines():
                entry = json.loads(line) if line.endswith(b"}") else {}
                if entry.get("request", {}).get("path") == CALLED and entry["type"] == "request":
                    at = parse_rfc3339(entry["time"])
                    if at >= since:
                        return at
        return None

    def _actions(self, key: str) -> set[str]:
        table = schema.actions
        with self._database.reading() as connection:
            query = select(table.c.id).where(table.c.target_key == key, table.c.drill.is_(False))
            return set(connection.execute(query).scalars())

    async def _new(self, key: str, known: set[str]) -> str:
        made = await self._until(lambda: self._actions(key) - known, f"an action on {key}")
        return str(made.pop())

    def _proof(self, action: str) -> Any:
        with self._database.reading() as connection:
            table = schema.proofs
            query = select(table.c.document).where(table.c.action_id == action)
            text = connection.execute(query).scalar()
        return json.loads(text) if text else None

    def _why(self, action: str) -> str:
        with self._database.reading() as connection:
            table = schema.actions
            row = connection.execute(select(table.c.state, table.c.reason).where(table.c.id == action)).one()
        return f"the action is {row.state}: {row.reason}"

    def _close(self) -> None:
        """Close what is open, as a person does: the next theft is an incident of its own."""
        table = schema.incidents
        with self._database.transaction() as connection:
            query = select(table.c.id).where(table.c.status.in_(schema.OPEN_STATUSES))
            for identifier in list(connection.execute(query).scalars()):
                incidents.transition(connection, identifier, "closed", time.time(), "bench")

    async def _until(self, look: Callable[[], Any], what: str) -> Any:
        give_up = time.monotonic() + WAIT_S
        while not (found := await asyncio.to_thread(look)):
            if time.monotonic() > give_up:
                raise RuntimeError(f"waited {WAIT_S:g} s in vain for {what}")
            await asyncio.sleep(LOOK_S)
        return found


async def play(scene: Scene, runs: int) -> Figures:
    """Set the stage, teach it who is who, and steal `runs` times."""
    scene.start_parts(lambda _name: None)
    await scene.prepare()
    scene.daemon.start()
    pipe = Pipe(scene.settings.kafka)
    await pipe.start()
    try:
        await asyncio.to_thread(scene.daemon.wait_ready)
        identities = scene.vault_scene.identities
        ordinary = await asyncio.to_thread(week, scene.platform, identities, SEED, time.time())
        await pipe.send([record for record in ordinary if record.topic == KUBERNETES])
        bench = Bench(scene, pipe)
        shipper = AuditShipper(scene.vault.audit_file, pipe)
        shipping = asyncio.create_task(shipper.run())
        await bench.rehearse()
        for number in range(runs):
            await bench.run()
            figures = bench.figures
            print(
                f"run {number + 1}: dead {figures.dead[-1]:.2f} s, grade {figures.grades[-1]}, "
                f"click to call {figures.click[-1]:.3f} s",
                file=sys.stderr,
                flush=True,
            )
        shipping.cancel()
        return bench.figures
    finally:
        await pipe.stop()


def p99(values: Sequence[float]) -> float:
    """Return the 99th percentile: of fewer than a hundred values it is the worst."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * 99 // 100) - 1)]


def row(name: str, values: Sequence[float], aim: str) -> str:
    """Return one line of the table."""
    cut = f"{statistics.median(values):.2f} | {p99(values):.2f} | {max(values):.2f} | {min(values):.2f}"
    return f"| {name} | {cut} | {aim} |"


def page(figures: Figures, runs: int, load: float) -> str:
    """Return the page in Markdown."""
    dead = "theft to the old password proven dead (auto, contain)"
    click = "last approver's click to the first external call"
    rows = [
        row(dead, figures.dead, _aim(figures.dead, DEAD_P99_S)),
        row(click, figures.click, _aim(figures.click, CLICK_P99_S)),
        row("of that: the click until the API's answer", figures.recorded, "-"),
    ]
    return PAGE.format(
        date=datetime.date.today(),
        runs=runs,
        cores=os.cpu_count(),
        machine=platform.machine(),
        python=platform.python_version(),
        load=load,
        nice=os.nice(0),
        rows="\n".join(rows),
        graded=sum(grade == "A" for grade in figures.grades),
    )


def _aim(values: Sequence[float], limit: float) -> str:
    return f"{limit:g}: {'met' if p99(values) <= limit else 'missed'}"


def main() -> None:
    """Play `--runs` times; print the page, and write it when asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    with BenchScene(SEED) as scene:
        figures = asyncio.run(play(scene, options.runs))
    text = page(figures, options.runs, os.getloadavg()[0])
    print(text)
    if options.write is not None:
        options.write.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
