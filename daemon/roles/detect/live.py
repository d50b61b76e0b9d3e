"""The rules of detect, read again while it runs: one batch is judged by one set."""

from __future__ import annotations

from daemon.live_rules import LiveRules
from daemon.reloading import Answer
from daemon.reloading_rules import StreamRules
from daemon.roles.detect.stage import DetectStage

MOST_IDS = 100


class DetectRules:
    """A part of `Reloading`. The stage takes `engine` once a batch, so a batch in hand keeps its set."""

    name = "rules"

    def __init__(self, source: StreamRules, live: LiveRules, stage: DetectStage) -> None:
        self._source = source
        self._live = live
        self._stage = stage

    @property
    def digest(self) -> str:
        """The digest of the set in force."""
        return self._source.digest

    def look(self) -> object:
        """Return the states of the files."""
        return self._source.look()

    async def reload(self) -> Answer:
        """Load in a thread, then swap. Raises ConfigurationError; the set in force stays."""
        changed = await self._live.reload()
        self._stage.engine, self._stage.gate = self._live.engine, self._source.gate
        return {
            "added": changed.added[:MOST_IDS],
            "changed": changed.changed[:MOST_IDS],
            "removed": changed.removed[:MOST_IDS],
        }
