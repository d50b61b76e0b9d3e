"""`davylamp` with a wall clock that is wrong: shifted_clock.py FILE run ROLE ...; FILE holds the seconds.

Shifted is what Python code reads as wall time (`time.time`, `time.time_ns`: the clocks of Davylamp, aiokafka
and Faust). What C code reads by itself (uvloop's timers, which are monotonic, and file times) is not.
"""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path
from typing import Final

_LOOK_S: Final = 0.1


class ShiftedClock:
    """The machine's wall clock plus what a file says (seconds)."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._true = time.time
        self._shift_s = 0.0

    def time(self) -> float:
        """Return seconds since the epoch, shifted."""
        return self._true() + self._shift_s

    def time_ns(self) -> int:
        """Return nanoseconds since the epoch, shifted."""
        return int(self.time() * 1e9)

    def follow(self) -> None:
        """Read the file again and again."""
        while True:
            self._shift_s = float(self._file.read_text(encoding="ascii") or 0)
            time.sleep(_LOOK_S)


def main() -> None:
    """Set the clock wrong before anything of Davylamp is imported, then run its command line."""
    clock = ShiftedClock(Path(sys.argv.pop(1)))
    time.time, time.time_ns = clock.time, clock.time_ns
    threading.Thread(target=clock.follow, daemon=True).start()
    sys.argv[0] = "davylamp"
    from daemon.cli.main import main as davylamp  # after the clock

    davylamp()


if __name__ == "__main__":
    main()
