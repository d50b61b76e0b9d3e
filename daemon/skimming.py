"""Lines of a scan that no rule can match: counted, and read no further.

What a scan says of a line that is passed by is what it would say after reading all of it: one event, inside
the asked times or outside.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from connectors.sources.partial import NoPartialError, Partial
from connectors.sources.source import PartlyReadable, Source
from daemon.scan_tally import ALWAYS, Period, Tally
from detectors.sigma.dispatch import Dispatch
from detectors.sigma.index import Candidate

LONGEST_REST: Final = 64
"""Batches that are read in full without a try after skimming did not pay again and again."""
_EDGE_S: Final = 1e-5


class Skimming:
    """Says which lines of a source are to be read; see `connectors.sources.files.Skim`."""

    def __init__(self, source: Source, dispatch: Dispatch[Candidate], period: Period) -> None:
        self.tally = Tally()
        self._skeleton = source.skeleton() if isinstance(source, PartlyReadable) else None
        self._dispatch = dispatch
        self._period = period
        self._partial: Partial | None = None
        self._paths: Sequence[str] | None = None
        self._resting = 0
        self._rest = 1

    def __call__(self, lines: Sequence[bytes]) -> Iterable[int]:
        """Return the places of the lines that are to be read; the others are counted in `tally`."""
        if self._paths is not self._dispatch.paths:
            self._plan()
        if self._partial is None:
            return range(len(lines))
        if self._resting:
            self._resting -= 1
            return range(len(lines))
        rest = self._partial.rest(lines, self._dispatch)
        self._pause(len(rest) * 2 > len(lines))
        if self._period == ALWAYS:
            self.tally.events += len(lines) - len(rest)
            return rest
        return self._inside(self._partial, lines, rest)

    def _plan(self) -> None:
        """Events are sorted by other fields than before."""
        self._paths = self._dispatch.paths
        try:
            self._partial = None if self._skeleton is None else Partial(self._skeleton, self._paths)
        except NoPartialError:
            self._partial = None

    def _pause(self, in_vain: bool) -> None:
        """Where most lines are read anyway, to skim them first is lost work: try more and more seldom."""
        self._resting = self._rest if in_vain else 0
        self._rest = min(self._rest * 2, LONGEST_REST) if in_vain else 1

    def _inside(self, partial: Partial, lines: Sequence[bytes], rest: Sequence[int]) -> Sequence[int]:
        """Count by time; what happened at the very edge of the period is read in full."""
        known = set(rest)
        passed = [place for place in range(len(lines)) if place not in known]
        start, end = self._period
        for place, time in zip(passed, partial.times([lines[place] for place in passed]), strict=True):
            if start + _EDGE_S <= time < end - _EDGE_S:
                self.tally.events += 1
            elif time < start - _EDGE_S or time >= end + _EDGE_S:
                self.tally.outside += 1
            else:
                known.add(place)
        return sorted(known)
