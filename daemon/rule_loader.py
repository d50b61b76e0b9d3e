"""Rules loaded again and again: what did not change is neither read nor compiled nor linked twice."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

from daemon.garbage import paused
from daemon.rule_cache import RuleCache
from daemon.rule_compiler import Made, compiled, compiled_here
from daemon.rule_paths import FileState, RuleFile, read_file, rule_files, state_of
from detectors.sigma.compiled import CompiledFile
from detectors.sigma.document import Refusal, RuleDocument
from detectors.sigma.preparation import Preparation
from detectors.sigma.ruleset import RuleSet
from detectors.sigma.stored_value import StoredError

_SETTLED_NS: Final = 20_000_000
"""File systems count time in ticks of the clock: a file that changed so lately is read again next time."""
Given: TypeAlias = "RuleDocument | Refusal"


@dataclass(frozen=True, slots=True)
class LoadReport:
    """How a load came about: files read, and what the cache had. `cache_off`: why there was none."""

    files: int
    read: int
    cache: Counter[str]
    cache_off: str | None


class _Known(NamedTuple):
    state: FileState
    files: tuple[CompiledFile, ...]


class RuleLoader:
    """Loads the rules below some paths; keeps what it needs to load them again quickly."""

    def __init__(
        self,
        paths: Sequence[Path],
        preparation: Preparation,
        *,
        shipped: Iterable[RuleDocument] = (),
        cache_folder: Path | None = None,
    ) -> None:
        self._paths = tuple(paths)
        self._preparation = preparation
        self._shipped = tuple(shipped)
        self._folder = cache_folder
        self._known: dict[str, _Known] = {}
        self._found: list[RuleFile] = []
        self._own: tuple[CompiledFile, ...] | None = None

    def load(self, touched: Collection[str] | None = None) -> tuple[RuleSet, LoadReport]:
        """Load all that is there now. Raises ConfigurationError for a path that is none.

        `touched`: the paths that may have changed since the last load, when someone watches them; without
        it every file is looked at.
        """
        settled = time.time_ns() - _SETTLED_NS
        cache = RuleCache(self._folder, self._preparation)
        found = self._found_again(touched) or rule_files(self._paths)
        changed = [file for file in found if not self._is_known(file)]
        fresh = self._compile([read_file(file) for file in changed], cache)
        made = dict(zip((file.path for file in changed), fresh, strict=True))
        if self._own is None:
            (self._own,) = self._compile([self._shipped], cache)
        parts = [self._own]
        known: dict[str, _Known] = {}
        for file in found:
            files = made[file.path] if file.path in made else self._known[file.path].files
            parts.append(files)
            if file.state is not None and file.state.changed_ns < settled:
                known[file.path] = _Known(file.state, files)
        self._known, self._found = known, found
        cache.tidy()
        ruleset = RuleSet.of((file for part in parts for file in part), self._preparation)
        return ruleset, LoadReport(len(found), len(changed), cache.counts, cache.off)

    def _found_again(self, touched: Collection[str] | None) -> list[RuleFile]:
        """Return the files of the last load, the touched ones as they are now; none: look at all."""
        files = {file.path: file for file in self._found}
        if touched is None or not files.keys() >= set(touched):
            return []
        for path in touched:
            files[path] = RuleFile(path, state_of(Path(path)))
        return [file for file in files.values() if file.state is not None]

    def _is_known(self, file: RuleFile) -> bool:
        known = self._known.get(file.path)
        return known is not None and known.state == file.state

    def _compile(self, groups: Sequence[Sequence[Given]], cache: RuleCache) -> list[tuple[CompiledFile, ...]]:
        """Return what each group of documents gives; what the cache has not is compiled and kept."""
        kept: dict[tuple[int, int], CompiledFile] = {}
        missing: list[tuple[tuple[int, int], RuleDocument]] = []
        with paused():
            for place, group in enumerate(groups):
                for number, given in enumerate(group):
                    if isinstance(given, Refusal):
                        kept[place, number] = CompiledFile((), (given,))
                    elif (found := cache.get(given)) is not None:
                        kept[place, number] = found
                    else:
                        missing.append(((place, number), given))
        made = compiled([document for _, document in missing], self._preparation)
        with paused():
            for (key, document), one in zip(missing, made, strict=True):
                if one.data is not None:
                    cache.put(document, one.data)
                kept[key] = _file(one, cache, self._preparation)
        return [
            tuple(kept[place, number] for number in range(len(group))) for place, group in enumerate(groups)
        ]


def _file(made: Made, cache: RuleCache, preparation: Preparation) -> CompiledFile:
    if made.file is None and made.data is not None:
        try:
            return cache.opened(made.data, made.document)
        except StoredError:
            made = compiled_here(made.document, preparation)
    return made.file or CompiledFile((), ())
