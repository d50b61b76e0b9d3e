"""Coverage-guided fuzzing (atheris, libFuzzer): `python tests/fuzz/fuzz.py SOURCE --seconds 300`.

SOURCE is `envelopes`, a source kind, or `sigma` (rules and events). The last lines say how many inputs were
tried. A breach ends the run with exit code 77 and the input's path: it becomes a line of the hostile corpus
and a fix.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
from pathlib import Path

import atheris
from mutation import mutate

HERE = Path(__file__).parent
MAX_LENGTH = 4096
SECONDS_AN_INPUT = 20


def names() -> list[str]:
    """Return what can be fuzzed: each `fuzz_NAME.py` here."""
    return sorted(path.stem.removeprefix("fuzz_") for path in HERE.glob("fuzz_*.py"))


def change(data: bytes, max_size: int, seed: int) -> bytes:
    """Return a changed input; `atheris.Mutate` is another function before Setup than after it."""
    return mutate(data, max_size, seed, lambda value, size: bytes(atheris.Mutate(value, size)))


def main() -> None:
    """Fuzz one target until the time is over."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", choices=names())
    parser.add_argument("--seconds", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--crashes", type=Path, default=Path(tempfile.gettempdir()))
    given = parser.parse_args()
    with atheris.instrument_imports(include=["connectors.sources", "connectors.ecs", "detectors.sigma"]):
        harness = importlib.import_module(f"fuzz_{given.source}")
    with tempfile.TemporaryDirectory() as folder:
        corpus, words = Path(folder) / "corpus", Path(folder) / "words"
        corpus.mkdir()
        harness.seeds.write(harness.values(), corpus)
        harness.seeds.dictionary(harness.values(), words)
        options = [
            f"-max_total_time={given.seconds}",
            f"-max_len={MAX_LENGTH}",
            f"-timeout={SECONDS_AN_INPUT}",
            f"-seed={given.seed}",
            f"-dict={words}",
            f"-artifact_prefix={given.crashes}/{given.source}-",
            "-rss_limit_mb=1024",
            "-print_final_stats=1",
        ]
        atheris.Setup([sys.argv[0], *options, str(corpus)], harness.target, custom_mutator=change)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
