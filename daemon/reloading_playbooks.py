"""The playbooks of respond and web, read again while they run: all of them at once, or the old ones stay."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from config.errors import ConfigurationError, Problem
from config.folder import files_in
from config.response import Response
from daemon.playbook_library import playbook_texts
from daemon.reloading import Answer
from daemon.rule_paths import state_of
from playbooks.library import load
from playbooks.playbook import Playbook, PlaybookError

MOST_IDS = 100


class LivePlaybooks(Mapping[str, Playbook]):
    """Playbooks by id, those in force at the moment of the question; `now` is one whole set of them.

    A part of `Reloading`. `changed` is called in the loop with each new set.
    """

    name = "playbooks"

    def __init__(self, response: Response) -> None:
        """Raises ConfigurationError with every problem of every file."""
        self._response = response
        self.seen = self.look()
        self.now, self._digest = self._loaded()
        self.changed: Callable[[Mapping[str, Playbook]], None] | None = None

    def __getitem__(self, name: str) -> Playbook:
        """Return the playbook of that id. Raises KeyError."""
        return self.now[name]

    def __iter__(self) -> Iterator[str]:
        """Return the ids."""
        return iter(self.now)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.now)

    @property
    def digest(self) -> str:
        """16 hex digits of all texts; where their files lie does not matter."""
        return self._digest

    def look(self) -> object:
        """Return the states of all files."""
        return tuple(
            (str(file), state_of(file))
            for path in self._response.playbooks
            for file in files_in(Path(path), (".md",))
        )

    async def reload(self) -> Answer:
        """Read in a thread, then swap. Raises ConfigurationError; the playbooks in force stay."""
        before = self.now
        self.now, self._digest = await asyncio.to_thread(self._loaded)
        if self.changed is not None:
            self.changed(self.now)
        both = before.keys() & self.now.keys()
        return {
            "added": sorted(self.now.keys() - before.keys())[:MOST_IDS],
            "changed": sorted(name for name in both if before[name] != self.now[name])[:MOST_IDS],
            "removed": sorted(before.keys() - self.now.keys())[:MOST_IDS],
        }

    def _loaded(self) -> tuple[Mapping[str, Playbook], str]:
        texts = playbook_texts(self._response.playbooks, shipped=self._response.builtin_playbooks)
        try:
            found = load(texts)
        except PlaybookError as error:
            problems = [
                Problem(f"{p.file}:{p.line}", p.key, f"{p.found}; {p.allowed}") for p in error.problems
            ]
            raise ConfigurationError(problems) from None
        parts = sorted(hashlib.sha256(text.text.encode()).digest() for text in texts)
        return found, hashlib.sha256(b"".join(parts)).hexdigest()[:16]
