"""The rows that are measured inside this process: bare decoding and Davylamp's ways, block by block in turns.

Every block of 2,000 lines is decoded, then read in each way, before the next block is begun: what else the
machine does meets all rows alike. Rows of one group read the same lines.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path

from engine_rows import cpu, decode, flood, head, partial, shared, source_of
from peer_program import KINDS

from daemon.scanning import FileReader, Reading
from detectors.sigma.engine import Engine
from detectors.sigma.ruleset import RuleSet

BLOCK = 2_000
"""Lines of one turn."""
COLD = {"cloudtrail": 20_000, "k8s": 8_000}
"""Events of the memo-cold rows: so many stand in the public inputs before the first comes again."""
FLOOD = 20_000
DECODE = "decode"
WAYS = ("shared", "partial")
Work = Callable[[Path], object]


class Inside:
    """Davylamp's ways over one input. `rules`: the name of the rule set of all rows but `WAY, NAME`."""

    def __init__(
        self, source: str, events: Path, scratch: Path, loaded: Mapping[str, RuleSet], rules: str
    ) -> None:
        self._name, self._source = source, source_of(source)
        self._loaded, self._rules = loaded, rules
        short = scratch / f"{source}-short"
        flooded = scratch / f"{source}-flooded"
        head(events, short, FLOOD)
        flood(short, flooded, source)
        head(events, short, COLD[source])
        files = {"all": events, "cold": short, "flood": flooded}
        self._blocks = {group: _blocks(file, scratch / f"{source}-{group}") for group, file in files.items()}
        self.engines = {name: Engine(one) for name, one in loaded.items()}
        self.readers = {name: self._reader(name) for name in loaded}
        self.seconds: dict[str, list[float]] = defaultdict(list)
        self.beside: dict[str, str] = {}

    def warm(self, events: Path) -> None:
        """Read everything once, so that engines remember what they have seen."""
        for name, engine in self.engines.items():
            shared(events, self._source, engine)
            partial(events, self.readers[name])

    def round(self) -> None:
        """Measure every row once; `seconds` gets the CPU seconds an event of each."""
        rows: dict[str, Work] = {}
        for name in self._loaded:
            more = "" if name == self._rules else f", {name}"
            rows |= self._ways(more, self.engines[name], self.readers[name])
        self._group("all", rows)
        for more, group in (("memo cold", "cold"), ("flood", "flood")):
            engine = Engine(self._loaded[self._rules])
            engine.dispatch(self._source)
            self._group(group, self._ways(f", {more}", engine, self._reader(self._rules)))

    def _reader(self, rules: str) -> FileReader:
        return FileReader(Reading(KINDS[self._name], self._loaded[rules]))

    def _ways(self, more: str, engine: Engine, reader: FileReader) -> dict[str, Work]:
        return {
            f"shared{more}": lambda path: shared(path, self._source, engine),
            f"partial{more}": lambda path: partial(path, reader),
        }

    def _group(self, group: str, rows: Mapping[str, Work]) -> None:
        spent: dict[str, float] = defaultdict(float)
        count = 0
        bare = f"{DECODE}, {group}"
        for path, lines in self._blocks[group]:
            count += lines
            spent[bare] += cpu(lambda path=path: decode(path))
            for name, work in rows.items():
                spent[name] += cpu(lambda work=work, path=path: work(path))
                self.beside[name] = bare
        for name, seconds in spent.items():
            self.seconds[name].append(seconds / count)


def _blocks(file: Path, folder: Path) -> list[tuple[Path, int]]:
    """Write the lines of `file` as files of `BLOCK` lines; return them with how many each has."""
    folder.mkdir()
    found: list[tuple[Path, int]] = []
    with file.open("rb") as lines:
        while block := [line for _, line in zip(range(BLOCK), lines, strict=False)]:
            path = folder / f"{len(found):05d}.jsonl"
            path.write_bytes(b"".join(block))
            found.append((path, len(block)))
    return found
