"""How long any one pattern takes on 64 Ki characters of hostile text: wildcards and regular expressions.

    python bench/patterns.py [RULES] [--slowest N] [--limit MS] [--fields]

RULES is a folder or a tar archive of rules (without it: only the patterns that are made to be slow). For each
pattern the texts are made of the pattern's own characters: repeated, at random, and all but the last of what
it looks for, again and again. Printed are milliseconds (of what is over the limit the best of five tries),
slowest first. Exit code 1 when a pattern is over the limit. Each pattern is one value of a rule; `--fields`
measures all values of one field together.
"""

from __future__ import annotations

import argparse
import random
import sys
import tarfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from sigma.types import SigmaRegularExpression, SigmaString, SigmaType

from detectors.sigma.condition import And, Condition, Keyword, Leaf, Not, Or
from detectors.sigma.document import RuleDocument, SigmaRuleError
from detectors.sigma.keyword import keyword_test
from detectors.sigma.ruleset import RuleSet
from detectors.sigma.values import value_test

CHARACTERS = 65_536
LIMIT_MS = 1.0
SEED = 2026
TRIES = 5
NOT_COUNTED = "with a growing automaton (not counted)"
WILD = (
    *("*a*b", "a*b", "*" + "a*" * 30 + "b", "*" + "a*" * 1000 + "b", "*aaaaaaaaaaaaaaaaaaaaab*c*", "*a?b*"),
    *("*a????????????????????b*", "*" + "a?" * 20 + "b*", "?a*b?", "*" + "?" * 50 + "b", "*a?????b*c*" * 5),
    *(
        "*" + "ab" * 500 + "c*d",
        "*" + "a" * 200 + "b" + "a" * 200 + "*b",
        "*?a?a?a?b*?b?b?b?c*",
        "?" * 100 + "*",
    ),
)
EXPRESSIONS = (
    *("(a+)+$", "(a+)+b", "(a|aa)+$", "(a|a?)+b", "^(a|a|aa)*b$", "(.*a){20}", "(.*)*b", "([a-zA-Z]+)*1"),
    *("(a?){30}a{30}b", "a.{20}b", "(x+x+)+y", ".*a.*a.*a.*a.*b", "(?i)(foo|bar|baz)+.*qux", "^.*$\\n.*b"),
    *("(a|b)*a(a|b){12}c", "\\w+\\s\\d+", "(\\d+)*\\.(\\d+)*x", "([^,]*,){50}z", "(a*)*(b*)*c"),
)

GROWING = ("a[ab]{20}c", "[0-9a-f]*a[0-9a-f]{24}z")
"""Still linear, but their automaton has a state for nearly every character: no text makes others as slow."""


def documents(place: Path) -> Iterator[RuleDocument]:
    """Yield the rules of a folder or of a tar archive."""
    if place.is_dir():
        for path in sorted(place.rglob("*.yml")):
            yield RuleDocument(str(path.relative_to(place)), path.read_text(encoding="utf-8"))
        return
    with tarfile.open(place) as archive:
        for member in archive:
            if member.isfile() and member.name.endswith(".yml") and (file := archive.extractfile(member)):
                yield RuleDocument(member.name, file.read().decode())


def fields(condition: Condition) -> Iterator[tuple[bool, tuple[SigmaType, ...]]]:
    """Yield the values of each field, and whether they are keywords."""
    match condition:
        case And(parts) | Or(parts):
            for part in parts:
                yield from fields(part)
        case Not(part):
            yield from fields(part)
        case Leaf(_, values):
            yield False, values
        case Keyword(values):
            yield True, values
        case _:
            return


def texts(pattern: str, noise: bytes) -> Iterator[str]:
    """Yield texts that are hard for a pattern of these characters; random ones are made of `noise`."""
    letters = sorted({char for char in pattern if char not in "*?\\"}) or ["a"]
    yield from (char * CHARACTERS for char in letters[:3])
    for alphabet in ("".join(letters), "ab", "abcdefghijklmnopqrstuvwxyz0123456789 -/\\.:"):
        narrow = alphabet.encode("latin-1", "replace")
        yield noise.translate(bytes(narrow[number % len(narrow)] for number in range(256))).decode("latin-1")
    plain = "".join(char for char in pattern if char not in "*?\\^$()[]{}+|") or "a"
    for near in (plain[:-1] or "a", plain[1:] or "a"):
        yield (near * (CHARACTERS // len(near) + 1))[:CHARACTERS]
    yield "\u00e9" * CHARACTERS


def slowest(values: tuple[SigmaType, ...], keyword: bool, noise: bytes, limit: float) -> float:
    """Return the milliseconds of the slowest text."""
    held = keyword_test(values) if keyword else value_test(values)
    worst = 0.0
    for text in texts("".join(_name(value) for value in values[:4]), noise):
        what = {"f": text} if keyword else text
        best = float("inf")
        for _ in range(TRIES):
            began = time.perf_counter()
            held(what)  # pyright: ignore[reportArgumentType]
            best = min(best, (time.perf_counter() - began) * 1000)
            if best <= limit:
                break
        worst = max(worst, best)
    return worst


def of_rules(place: Path, *, together: bool) -> dict[tuple[bool, str], tuple[SigmaType, ...]]:
    """Return each different pattern of the rules once, by its text."""
    loaded = RuleSet.load(documents(place))
    found: dict[tuple[bool, str], tuple[SigmaType, ...]] = {}
    for rule in loaded.rules:
        for keyword, values in fields(rule.condition):
            kept = tuple(v for v in values if isinstance(v, SigmaString | SigmaRegularExpression))
            for group in [kept] if together and kept else [(value,) for value in kept]:
                found.setdefault((keyword, " | ".join(map(_name, group))), group)
    return found


def made_to_be_slow(given: Iterable[SigmaType]) -> dict[tuple[bool, str], tuple[SigmaType, ...]]:
    """Return hostile patterns; one that is refused is told."""
    found: dict[tuple[bool, str], tuple[SigmaType, ...]] = {}
    for value in given:
        try:
            value_test([value])
        except SigmaRuleError as error:
            print(f"refused: {_name(value)}: {error.reason}")
        else:
            found[False, _name(value)] = (value,)
    return found


def _name(value: SigmaType) -> str:
    return f"re {value.regexp}" if isinstance(value, SigmaRegularExpression) else repr(str(value))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("rules", nargs="?", type=Path)
    parser.add_argument("--slowest", type=int, default=10)
    parser.add_argument("--limit", type=float, default=LIMIT_MS)
    parser.add_argument("--fields", action="store_true")
    given = parser.parse_args()
    hostile = (*map(SigmaString, WILD), *map(SigmaRegularExpression, EXPRESSIONS))
    groups = {
        "made to be slow": made_to_be_slow(hostile),
        NOT_COUNTED: made_to_be_slow(map(SigmaRegularExpression, GROWING)),
    }
    if given.rules:
        groups["of the rules"] = of_rules(given.rules, together=given.fields)
    over = 0
    for title, patterns in groups.items():
        noise = random.Random(SEED).randbytes(CHARACTERS)
        times = {key: slowest(values, key[0], noise, given.limit) for key, values in patterns.items()}
        late = sum(spent > given.limit for spent in times.values())
        over += 0 if title == NOT_COUNTED else late
        print(f"{title}: {len(times):,} patterns, {late} over {given.limit:g} ms, {CHARACTERS:,} characters")
        for keyword, name in sorted(times, key=lambda key: -times[key])[: given.slowest]:
            short = name if len(name) <= 80 else f"{name[:77]}..."
            print(f"  {times[keyword, name]:8.3f} ms  {'keyword ' * keyword}{short}")
    sys.exit(over > 0)


if __name__ == "__main__":
    main()
