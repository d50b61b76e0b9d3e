"""Index on, index off, an independent oracle and SQLite on random pairs of a rule and an event.

    python tests/differential/differential.py [--pairs N] [--seed N] [--rounds N] [--without-sqlite]

Each round has rules, events and an alphabet of its own; its number is its seed, so that any round can be run
again: `--seed N --rounds 1`. Exit code 1 when anything disagrees without a name.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import time

from comparison import Round, Tally
from known_differences import REASONS

SQLITE = importlib.util.find_spec("sigma.backends.sqlite") is not None
SHOWN = 20


def compare(pairs: int, first_seed: int, *, sqlite: bool, rounds: int | None = None) -> Tally:
    """Run rounds until at least `pairs` pairs are compared (or `rounds` rounds)."""
    tally = Tally()
    seed = first_seed
    while tally.pairs < pairs if rounds is None else tally.rounds < rounds:
        Round(seed).run(tally, sqlite=sqlite)
        seed += 1
    return tally


def report(tally: Tally, first_seed: int, seconds: float) -> str:
    """Return the counts as text."""
    last = first_seed + tally.rounds - 1
    lines = [
        f"{tally.pairs:,} pairs, seeds {first_seed} to {last}, {tally.matched / tally.pairs:.1%} match, "
        f"{seconds:.0f} s CPU",
        f"index on = index off = oracle: {len(tally.unexplained)} unexplained",
        f"sqlite was asked about {tally.asked_sqlite:,} pairs; why it differs, by name:",
    ]
    lines += [f"  {count:>7,}  {name}: {REASONS[name]}" for name, count in tally.reasons.most_common()]
    return "\n".join(lines + tally.unexplained[:SHOWN])


def main() -> None:
    """Compare and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--pairs", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, help="so many rounds instead of pairs")
    parser.add_argument("--without-sqlite", action="store_true")
    given = parser.parse_args()
    if not SQLITE and not given.without_sqlite:
        parser.error("pysigma-backend-sqlite is not installed (--without-sqlite leaves it out)")
    began = time.process_time()
    tally = compare(given.pairs, given.seed, sqlite=not given.without_sqlite, rounds=given.rounds)
    print(report(tally, given.seed, time.process_time() - began))
    sys.exit(bool(tally.unexplained))


if __name__ == "__main__":
    main()
