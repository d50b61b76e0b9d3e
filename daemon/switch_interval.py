"""How long a thread computes before it hands over to one that waits: shorter while something is read again.

A thread that reads files gives the interpreter away with every call to the system, and where the stream is
busy it has it back only after the switch interval, 5 ms as Python starts. 300 rule files are some thousand
calls: seconds for a reload that needs 50 ms, and the stream in turn waits 5 ms each time that a rule is
compiled (sys.setswitchinterval; Beazley, "Understanding the Python GIL", 2010).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

WHILE_READING: Final = 0.0001
"""Seconds. More than a turn of the loop (0.5 ms for 20 events) helps nothing: a waiting thread counts anew
each time that the loop gives the interpreter away for a moment and takes it back (CPython, ceval_gil.c)."""


@contextmanager
def shortened(seconds: float = WHILE_READING) -> Iterator[None]:
    """Let threads take shorter turns within the block. One block at a time: it is the process's."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(min(seconds, before))
    try:
        yield
    finally:
        sys.setswitchinterval(before)
