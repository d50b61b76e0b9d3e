"""The tables of `bench/engines.py`: figures, targets with their verdicts, and what the engines found."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from engine_targets import MORE_RULES, RATIOS, TIMES_FASTER, Target


def show(found: dict[str, Any]) -> None:
    """Print everything."""
    print("rules:", ", ".join(f"{count} {name}" for name, count in found["rules"].items()))
    for source, figures in found["inputs"].items():
        print(f"\n{source}: {figures['events']} events of {figures['bytes']} B, {figures['alerts']} alerts")
        _speed(source, figures)
        for line in _against(figures):
            print(line)
        for line in _alerts(figures):
            print(line)
        if figures["own_ways_differ"]:
            print("Davylamp's own ways differ in what they find")


def _speed(source: str, figures: dict[str, Any]) -> None:
    print(f"{'':<26}{'us an event':>24}  {'bare decode / whole':>22}   must  aim   verdict")
    for name, row in figures["rows"].items():
        if name == "decode":
            print(f"{'orjson, bare decode':<26}{_range(row):>24}  {'1':>22}")
            continue
        target = RATIOS.get((name, source))
        said = _said(target, row["ratio"]["median"])
        print(f"{name:<26}{_range(row['us']):>24}  {_range(row['ratio']):>22}  {said}")
    resident = figures["resident_mb"]
    print(f"memory of this process: {resident['before']} MB, after the floods {resident['after']} MB")
    for name, reason in figures["failed"].items():
        print(f"{name}: did not run: {reason}")


def _against(figures: dict[str, Any]) -> Iterator[str]:
    for name, row in figures["times"].items():
        one, _, other = name.partition(" / ")
        if one.startswith(other):
            more = {key: (value - 1) * 100 if key != "rounds" else value for key, value in row.items()}
            yield f"{one} against {other}: {_range(more)} % slower  {_said(MORE_RULES, more['median'])}"
        else:
            target = TIMES_FASTER.get((other, one))
            yield f"{other} is {_range(row)} times as fast as {one}  {_said(target, row['median'])}"


def _alerts(figures: dict[str, Any]) -> Iterator[str]:
    for name, found in figures["found"].items():
        told = f"{found['alerts']} of {found['expected']} alerts on {found['events']} events"
        others = found["of_other_sources"]
        yield f"{name}: {told}{f', {others} by rules of other sources' if others else ''}"
        for said, key in (("has not", "missing"), ("has more", "more")):
            for title, count in found[key]:
                yield f"    {said} {count} x {title}"


def _range(row: dict[str, float]) -> str:
    if row["rounds"] == 1:
        return f"{row['median']:.2f} (1 run)"
    return f"{row['median']:.2f} ({row['min']:.2f} to {row['max']:.2f})"


def _said(target: Target | None, figure: float) -> str:
    if target is None:
        return ""
    aim = "-" if target.aim is None else f"{target.aim:g}"
    return f"{target.must:>5g} {aim:>4}   {target.verdict(figure)}"
