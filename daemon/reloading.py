"""Reloading while the role runs: rules and playbooks are read again, and the old set stays when that fails.

Asked for by SIGHUP, by POST /reload on the role's loopback port, or by the watch on the folders
(`reloading_watch.py`). Only what is read again changes; settings are compared and named (``docs/reload.md``).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge

from config.errors import ConfigurationError
from daemon.switch_interval import shortened

MOST_PROBLEMS: Final = 20
Answer = Mapping[str, object]


class Part(Protocol):
    """What a role can read again. `name` is one of a few words; `digest` names the set in force."""

    @property
    def name(self) -> str:
        """Return the word for it in metrics and status."""
        ...

    @property
    def digest(self) -> str:
        """Return 16 hex digits; equal for equal sets, in every role and on every machine."""
        ...

    def look(self) -> object:
        """Return what changes when the files do. Called in a thread, raises nothing."""
        ...

    async def reload(self) -> Answer:
        """Read again and put in place between two batches; return what changed.

        Raises ConfigurationError: the set in force stays.
        """
        ...


@dataclass(slots=True)
class PartStanding:
    """A part, the look that its last try began with, and how that ended."""

    part: Part
    seen: object
    problems: tuple[str, ...] = ()
    at: float | None = None


@dataclass(slots=True)
class Reloading:
    """The parts of one role. Reloads wait for each other; those that wait together are one."""

    registry: CollectorRegistry
    clock: Callable[[], float]
    settings_changed: Callable[[], Sequence[str]] | None = None
    standings: dict[str, PartStanding] = field(default_factory=dict[str, PartStanding])
    _metrics: ReloadMetrics | None = None
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _next: asyncio.Task[Answer] | None = None

    def add(self, part: Part, seen: object) -> None:
        """Take in a part that was loaded; `seen` is its look from before that."""
        self.standings[part.name] = PartStanding(part, seen)
        self._metrics = self._metrics or ReloadMetrics(self.registry)
        self._metrics.show(part, taken=None)

    async def reload(self, cause: str) -> Answer:
        """Reload every part; return `{"schema","ok","cause","parts","needs_restart","problems"}`."""
        if self._next is None:
            self._next = asyncio.create_task(self._in_turn(cause))
        return await asyncio.shield(self._next)

    def ask(self, cause: str) -> None:
        """Reload soon; for signal handlers. The task is held until it has its turn."""
        if self._next is None:
            self._next = asyncio.create_task(self._in_turn(cause))

    def status(self) -> dict[str, object]:
        """Return, of each part, the digest in force and how the last reload ended."""
        return {
            name: {"hash": one.part.digest, "problems": list(one.problems), "reloaded_at": one.at}
            for name, one in self.standings.items()
        }

    async def _in_turn(self, cause: str) -> Answer:
        async with self._turn:
            self._next = None
            with shortened():
                parts = {name: await self._part(one, cause) for name, one in self.standings.items()}
                needs_restart, problems = await self._settings(cause)
            ok = not problems and all(part["ok"] for part in parts.values())
            return {
                "schema": "davylamp.reload/1",
                "ok": ok,
                "cause": cause,
                "parts": parts,
                "needs_restart": needs_restart,
                "problems": problems,
            }

    async def _part(self, one: PartStanding, cause: str) -> Answer:
        log = structlog.get_logger("davylamp.reload")
        part, began = one.part, time.monotonic()
        changed: Answer = {}
        try:
            one.seen = await asyncio.to_thread(part.look)
            changed = await part.reload()
            one.problems, one.at = (), self.clock()
        except ConfigurationError as error:
            one.problems = tuple(str(problem) for problem in error.problems[:MOST_PROBLEMS])
        except Exception as error:
            log.exception("reload failed", part=part.name, error=type(error).__name__)
            one.problems = (f"internal error: {type(error).__name__}",)
        took = round(time.monotonic() - began, 3)
        for problem in one.problems:
            log.error("reload refused, the set in force stays", part=part.name, cause=cause, problem=problem)
        if not one.problems:
            log.info(
                "reloaded", part=part.name, cause=cause, hash=part.digest, took_s=took, **_counts(changed)
            )
        if self._metrics is not None:
            self._metrics.show(part, taken=not one.problems)
        return {
            "ok": not one.problems,
            "hash": part.digest,
            "took_s": took,
            "problems": list(one.problems),
            **changed,
        }

    async def _settings(self, cause: str) -> tuple[list[str], list[str]]:
        """Return the settings that changed in the file and need a restart, and what is wrong with it."""
        log = structlog.get_logger("davylamp.reload")
        if self.settings_changed is None:
            return [], []
        try:
            changed = list(await asyncio.to_thread(self.settings_changed))
        except ConfigurationError as error:
            problems = [str(problem) for problem in error.problems[:MOST_PROBLEMS]]
            log.error("configuration refused, the one in force stays", cause=cause, problems=problems)
            return [], problems
        if changed:
            log.warning("settings changed that need a restart", cause=cause, settings=changed)
        return changed, []


class ReloadMetrics:
    """The digest in force as a label, and how reloads ended."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._info = Gauge(
            "davylamp_live_set_info",
            "1 for the set in force; the same hash in every role and worker that loaded the same files.",
            ["part", "hash"],
            registry=registry,
        )
        self._reloads = Counter(
            "davylamp_reloads_total", "Reloads by how they ended.", ["part", "outcome"], registry=registry
        )
        self._taken = Gauge(
            "davylamp_reload_ok",
            "0 while the last reload was refused and an older set is in force.",
            ["part"],
            registry=registry,
        )
        self._shown: dict[str, str] = {}

    def show(self, part: Part, *, taken: bool | None) -> None:
        """Show the digest in force; `taken` is None for the first load."""
        shown, digest = self._shown.get(part.name), part.digest
        if shown is not None and shown != digest:
            self._info.remove(part.name, shown)
        self._info.labels(part.name, digest).set(1)
        self._shown[part.name] = digest
        self._taken.labels(part.name).set(1 if taken is None or taken else 0)
        if taken is not None:
            self._reloads.labels(part.name, "taken" if taken else "refused").inc()


def _counts(changed: Answer) -> dict[str, int]:
    return {name: len(ids) for name, ids in changed.items() if isinstance(ids, list | tuple)}
