"""The correlations in force, read again while correlate runs, also for a match that asks for a new one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from daemon.reloading import Answer
from daemon.reloading_rules import StreamRules
from daemon.roles.correlate.evaluation import Record
from daemon.roles.correlate.holding import HoldingPublisher
from daemon.roles.correlate.matches import Correlation, MatchEvaluator
from daemon.roles.correlate.rules import correlations
from detectors.lifecycle.gate import Gate

MOST_IDS: Final = 100
ASK_AGAIN_S: Final = 1.0
Reload = Callable[[str], Awaitable[object]]


class CorrelateRules:
    """A part of `Reloading`. A batch is evaluated in one go, so the swap falls between two."""

    name = "rules"

    def __init__(self, source: StreamRules) -> None:
        """Load once, here. Raises ConfigurationError."""
        self._source = source
        self.seen = source.look()
        self.first = correlations(source.load()[0])
        self.evaluator: MatchEvaluator | None = None
        self.holding: HoldingPublisher | None = None
        self._asked = -ASK_AGAIN_S

    @property
    def gate(self) -> Gate:
        """The exceptions and states that belong to the set in force."""
        return self._source.gate

    @property
    def digest(self) -> str:
        """The digest of the set in force: of all rules, as detect says it."""
        return self._source.digest

    def look(self) -> object:
        """Return the states of the files."""
        return self._source.look()

    async def reload(self) -> Answer:
        """Load in a thread, then swap. Raises ConfigurationError; the set in force stays."""
        new = await asyncio.to_thread(self._loaded)
        if self.evaluator is None:
            return {}
        old = dict(self.evaluator.correlations)
        self.evaluator.swap(new)
        if self.holding is not None:
            self.holding.gate = self.gate
        return {
            "added": sorted(new.keys() - old.keys())[:MOST_IDS],
            "changed": sorted(n for n in new.keys() & old.keys() if new[n].rule != old[n].rule)[:MOST_IDS],
            "removed": sorted(old.keys() - new.keys())[:MOST_IDS],
        }

    async def know(self, records: Sequence[Record], seen: object, reload: Reload) -> None:
        """Before a batch: if it asks for a correlation that is not known, look at the files first.

        detect may have read them a moment before us; its matches would be refused. `seen` is the look of the
        last reload: files that did not change since are not read again.
        """
        now = asyncio.get_running_loop().time()
        if self.evaluator is None or now < self._asked + ASK_AGAIN_S:
            return
        known = self.evaluator.correlations
        names = {record.key.partition(b"|")[0] for record in records if record.key}
        if all(name.decode("utf-8", "replace") in known for name in names):
            return
        self._asked = now
        if await asyncio.to_thread(self.look) != seen:
            await reload("match")

    def _loaded(self) -> Mapping[str, Correlation]:
        return correlations(self._source.load()[0])
