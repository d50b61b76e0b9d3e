"""The faults of docs/reliability.md. Each is made between the two halves of a portion.

A fault is a context manager: what is written inside of it is written under the fault, and it says itself
when the world was whole again (`chain.whole_again()`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Final, NamedTuple

from faults.chain import DETECT, Chain
from faults.hostile import large, poison

from config.settings import Role

STORM_EVERY_S: Final = 5.0
_LARGE_BYTES: Final = 20 * 1024 * 1024
_JUMP_S: Final = 600.0
_HEARTBEATS_S: Final = 4.0

Making = Callable[[Chain], AbstractContextManager[None]]


class Fault(NamedTuple):
    """A fault by the name that the page gives it."""

    name: str
    make: Making


def kill_worker(role: Role) -> Fault:
    """kill -9 of a worker; it is started again while records come."""

    @contextmanager
    def make(chain: Chain) -> Iterator[None]:
        worker = next(worker for worker in chain.workers.all() if worker.role == role)
        worker.kill()
        yield
        worker.keep()
        chain.whole_again()

    return Fault(f"kill -9 of a {role} worker", make)


def kill_everything() -> Fault:
    """kill -9 of all workers at once."""

    @contextmanager
    def make(chain: Chain) -> Iterator[None]:
        for worker in chain.workers.all():
            worker.kill()
        yield
        chain.workers.keep()
        chain.whole_again()

    return Fault("kill -9 of all workers at once", make)


def freeze_worker(seconds: float, *roles: Role) -> Fault:
    """SIGSTOP of one worker of each of the roles, longer than the group waits for it."""

    @contextmanager
    def make(chain: Chain) -> Iterator[None]:
        frozen = [worker for worker in chain.workers.first_of_each() if worker.role in roles]
        for worker in frozen:
            worker.freeze()
        yield
        time.sleep(seconds)
        for worker in frozen:
            worker.thaw()
        chain.whole_again()

    return Fault(f"SIGSTOP of one {' and one '.join(roles)} worker, {seconds:.0f} s", make)


def broker_away(how: str) -> Fault:
    """The broker is killed (SIGKILL) or stopped (SIGTERM), and started again with its data."""

    @contextmanager
    def make(chain: Chain) -> Iterator[None]:
        if how == "kill":
            chain.kafka.kill()
        else:
            chain.kafka.stop()
        chain.kafka.start()
        chain.whole_again()
        yield

    return Fault("kill -9 of the broker" if how == "kill" else "restart of the broker", make)


def rebalance_storm(seconds: float) -> Fault:
    """One more detect and correlate worker joins and leaves, every 5 s."""

    @contextmanager
    def make(chain: Chain) -> Iterator[None]:
        guests = chain.workers.guests()
        yield
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            for guest in guests:
                guest.keep()
            time.sleep(STORM_EVERY_S)
            for guest in guests:
                guest.stop()
            chain.workers.keep()
            time.sleep(STORM_EVERY_S)
        chain.whole_again()

    return Fault(f"rebalance storm: join or leave every 5 s for {seconds:.0f} s", make)


def poison_batch() -> Fault:
    """Hostile values in every raw topic, between good records."""

    @contextmanager
    def make(chain: Chain) -> Iterator[None]:
        chain.feed(poison())
        chain.whole_again()
        yield

    return Fault("poison batch: hostile values in all four topics", make)


def large_message() -> Fault:
    """One record of 20 MB that holds events as all others do."""

    @contextmanager
    def make(chain: Chain) -> Iterator[None]:
        record = large(_LARGE_BYTES, first=900_000_000_000)
        most = len(record[2]) + 1_000_000
        chain.cluster.alter(record[0], {"max.message.bytes": str(most)})
        chain.feed([record], **{"message.max.bytes": most})
        chain.whole_again()
        yield

    return Fault("a message of 20 MB", make)


def offsets_reset() -> Fault:
    """Somebody deletes detect's commits: everything is read again, with counters that begin anew."""

    @contextmanager
    def make(chain: Chain) -> Iterator[None]:
        chain.workers.stop("detect")
        chain.cluster.forget(DETECT)
        yield
        chain.workers.keep()
        chain.whole_again()

    return Fault("detect's offsets deleted: all is read again", make)


def clock_jump(seconds: float) -> Fault:
    """The wall clock of every worker jumps and jumps back (see `shifted_clock.py`)."""

    @contextmanager
    def make(chain: Chain) -> Iterator[None]:
        chain.workers.shift(seconds)
        time.sleep(_HEARTBEATS_S)
        yield
        chain.workers.shift(0.0)
        chain.whole_again()

    return Fault(f"the workers' clock {seconds / 60:+.0f} min, then right again", make)


SHORT: Final = {
    1: (poison_batch(), large_message(), broker_away("kill"), offsets_reset()),
    2: (
        *(kill_worker(role) for role in ("detect", "correlate", "forward")),
        freeze_worker(6.0, "detect", "forward"),
        broker_away("restart"),
    ),
}
"""One of each by number of workers: what CI has time for."""
LONG: Final = (
    *(kill_worker(role) for role in ("detect", "correlate", "forward")),
    kill_everything(),
    freeze_worker(30.0, "detect", "forward"),
    freeze_worker(30.0, "detect", "correlate", "forward"),
    poison_batch(),
    large_message(),
    broker_away("kill"),
    broker_away("restart"),
    rebalance_storm(120.0),
    offsets_reset(),
)
CLOCKS: Final = (
    clock_jump(-_JUMP_S),
    clock_jump(_JUMP_S),
)
