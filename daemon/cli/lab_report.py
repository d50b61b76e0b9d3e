"""The lab's catalogue and scores as tables and as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from daemon.cli.database import print_json
from daemon.cli.listing import print_line, print_table
from daemon.lab.catalogue import LOOK_ALIKES, TECHNIQUES
from daemon.lab.stage import KINDS
from daemon.lab.verdict import Score, Verdict


def print_catalogue(as_json: bool) -> None:
    """Print every technique and look-alike."""
    rows = list(_catalogue())
    if as_json:
        print_json(rows)
        return
    columns = ("id", "source", "level", "attack", "title", "needs")
    print_table(columns, ([_cell(row[name]) for name in columns] for row in rows))


def _cell(value: Any) -> str:
    return " ".join(value) if isinstance(value, list) else value or "-"


def _catalogue() -> Iterator[dict[str, Any]]:
    for kind in KINDS:
        for one in (*TECHNIQUES[kind], *LOOK_ALIKES[kind]):
            yield {
                "id": one.id,
                "source": kind,
                "look_alike": not one.attack,
                "level": one.level if one.attack else None,
                "attack": list(one.attack),
                "title": one.title,
                "why": one.why or None,
                "needs": list(one.needs),
            }


def print_score(score: Score) -> None:
    """Print what was found, then what was not, then what was found and should not have been."""
    found = [one for one in score.techniques if one.rules]
    print_table(("id", "level", "delay", "wall", "rules"), (_row(one) for one in found))
    _print_list("missed", (f"{one.id}: {one.title}{_needs(one)}" for one in score.missed))
    _print_list("found at a lower level than expected", map(_weaker, score.weaker))
    _print_list("look-alikes taken for an attack", (f"{one.id}: {', '.join(one.rules)}" for one in score.hit))
    _print_list("false alerts", (f"{count} {title}" for title, count in score.false_rules.most_common()))
    print_line("")
    print_line(_summary(score))


def _row(one: Verdict) -> tuple[str, ...]:
    return one.id, one.level or "", _seconds(one.delay_s), _seconds(one.wall_s), ", ".join(one.rules)


def _weaker(one: Verdict) -> str:
    return f"{one.id}: {one.level}, expected {one.expected}{_needs(one)}"


def _needs(one: Verdict) -> str:
    return f" (needs the inventory's {', '.join(one.needs)})" if one.needs else ""


def _print_list(title: str, lines: Iterable[str]) -> None:
    found = list(lines)
    if found:
        print_line("")
        print_line(f"{title}: {len(found)}")
        for line in found:
            print_line(f"  {line}")


def _summary(score: Score) -> str:
    whole, missed = len(score.techniques), len(score.missed)
    said = [f"{whole - missed} of {whole} techniques found", f"{missed} missed"]
    said += [f"{len(score.weaker)} weaker than expected"]
    said += [f"{len(score.hit)} of {len(score.look_alikes)} look-alikes hit"]
    said += [f"{score.false.total()} false alerts on {score.ordinary} ordinary records"]
    for what, times in (("delay", score.times_s("delay_s")), ("wall clock", score.times_s("wall_s"))):
        if times:
            said.append(f"{what} {_seconds(times[0])} (median), {_seconds(times[1])} (longest)")
    return ", ".join(said)


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} s"
