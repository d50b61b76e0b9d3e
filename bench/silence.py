"""Weeks of synthetic sources with labelled faults through the watch over sources: delay and false alarms.

``python bench/silence.py [--seeds 5] [--weeks 10]``, or ``--cost``: what counting costs detect.

Each source runs twice from one seed: once without any fault (every finding is a false alarm, except those on
the labelled holiday, which are counted apart), and once for each fault, put in after week six. All traffic is
made by this file; it shares its author with the detector, so the figures say that the model does what it is
meant to do, not how it fares on other people's traffic.
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from aiokafka.structs import TopicPartition

from connectors.sources.catalogue import profile
from daemon.roles.detect.outputs import pulse_message
from daemon.roles.detect.pulse import PartitionPulse
from detectors.event import Event, Fields, Locator
from detectors.silence import report
from detectors.silence.clock import DAY, SLOTS, WEEK, weekend
from detectors.silence.tally import Tally
from detectors.silence.watch import Watch

GRACE_SLOTS = 1
"""A slot is judged two minutes after its end; counted here as a whole slot."""
LEARNING_H = 7 * DAY
FIELDS = {"time": 1.0, "user": 0.98, "verb": 1.0, "object": 0.7, "object.name": 0.6, "error": 0.12}
FAULT_WEEK = 6
COST_EVENTS, COST_ROUNDS = 200_000, 7
HOLIDAY_WEEK = 8


@dataclass(frozen=True)
class Kind:
    """A synthetic source: events an hour by hour of the week, spread of an hour, clump size, usual delay."""

    name: str
    source: str
    rate: Callable[[int], float]
    spread: float
    clump: float
    delay_s: float
    delay_spread: float


def office(hour: int) -> float:
    """Return 0 to 1: a working day's curve."""
    if weekend(hour):
        return 0.0
    return max(0.0, math.sin((hour % DAY - 7) / 11 * math.pi)) if 7 <= hour % DAY <= 18 else 0.0


KINDS = (
    Kind("mesh, 200k/h, day curve", "istio_access", lambda h: 60e3 + 140e3 * office(h), 0.10, 1, 2, 0.3),
    Kind("Kubernetes audit, 20k/h", "kubernetes_audit", lambda h: 16e3 + 8e3 * office(h), 0.08, 1, 1, 0.3),
    Kind("CloudTrail in files, 3k/h", "cloudtrail", lambda h: 1500 + 3000 * office(h), 0.25, 150, 480, 0.3),
    Kind("Vault, office hours, 20-400/h", "vault_audit", lambda h: 20 + 400 * office(h), 0.2, 2, 1, 0.3),
    Kind("Vault, 6/h round the clock", "vault_audit", lambda h: 6, 0.3, 1, 1, 0.3),
    Kind("quiet at night: none", "kubernetes_audit", lambda h: 900 * office(h), 0.2, 3, 1, 0.3),
    Kind("nightly job at two", "vault_audit", lambda h: 40 + (9000 if h % DAY == 2 else 0), 0.2, 3, 1, 0.3),
)
FAULTS = ("silent", "drop to a quarter", "fields gone", "clock 10 min ahead", "30 min late")
RULES = {
    "silent": report.SILENT,
    "drop to a quarter": report.DROP,
    "fields gone": report.SHIFT,
    "clock 10 min ahead": report.SKEW,
    "30 min late": report.SKEW,
}


def hours(kind: Kind, seed: int, weeks: int, fault: str, at: int) -> Iterator[tuple[int, Tally]]:
    """Give each hour of a source. Everything but the fault depends on kind and seed alone."""
    draw = random.Random(f"{kind.name}/{seed}")
    growth = draw.uniform(0.98, 1.03)
    first = 420_000 // WEEK * WEEK
    burst = {first + draw.randrange(weeks * WEEK) for _ in range(weeks)}
    pause = {first + draw.randrange(weeks * WEEK) for _ in range(weeks)}
    holiday = first + HOLIDAY_WEEK * WEEK + 5 * DAY
    for hour in range(first, first + weeks * WEEK):
        week = (hour - first) // WEEK
        local = hour + (1 if week >= 5 else 0)
        if holiday <= hour < holiday + DAY:
            local -= 2 * DAY
        mean = kind.rate(local) * growth**week * math.exp(draw.gauss(0, kind.spread))
        mean *= 20 if hour in burst else 1
        slots = [_clumps(draw, mean / SLOTS, kind.clump) for _ in range(SLOTS)]
        if hour in pause:
            slots[draw.randrange(SLOTS)] //= 2
        delay = kind.delay_s * math.exp(draw.gauss(0, kind.delay_spread))
        mix = draw.gauss(0, 0.03)
        yield hour, _hour(slots, delay, mix, hour, fault, at)


def _hour(slots: list[int], delay: float, mix: float, hour: int, fault: str, at: int) -> Tally:
    begun = max(0, min(SLOTS, at - hour * SLOTS))
    share = {"silent": 0.0, "drop to a quarter": 0.25}.get(fault, 1.0)
    slots = [round(n * share) if number >= begun else n for number, n in enumerate(slots)]
    after = begun == 0
    if after and fault == "clock 10 min ahead":
        delay -= 600
    if after and fault == "30 min late":
        delay += 1800
    sampled = sum(min(n, 8 + n // 64) for n in slots)
    gone = {"object", "object.name"} if after and fault == "fields gone" else set[str]()
    fields = {n: round(sampled * min(1.0, max(0.0, s + mix))) for n, s in FIELDS.items() if n not in gone}
    return Tally(slots, sampled, fields, {round(delay / 60): sampled} if sampled else {})


def _clumps(draw: random.Random, mean: float, clump: float) -> int:
    """Return events that come in clumps: a Poisson number of them, about `clump` events each."""
    number = _poisson(draw, mean / clump)
    return number if clump == 1 else round(sum(draw.expovariate(1 / clump) for _ in range(min(number, 3000))))


def _poisson(draw: random.Random, mean: float) -> int:
    if mean > 40:
        return max(0, round(draw.gauss(mean, math.sqrt(mean))))
    left, number = draw.random(), 0
    term = total = math.exp(-mean)
    while left > total and number < 400:
        number += 1
        term *= mean / number
        total += term
    return number


def watched(kind: Kind, seed: int, weeks: int, fault: str = "", at: int = 1 << 40) -> list[tuple[str, int]]:
    """Return (rule, slot in which it is said) of each finding."""
    found: list[tuple[str, int]] = []
    watch: Watch | None = None
    for hour, tally in hours(kind, seed, weeks, fault, at):
        watch = watch or Watch.begin("t", kind.source, hour)
        for place in range(SLOTS):
            slot = hour * SLOTS + place
            for finding in watch.advance(slot, {hour: tally}, LEARNING_H):
                found.append((finding.rule_id, slot + GRACE_SLOTS))
    return found


def cost() -> None:
    """Print the CPU time that pulses take of an event, and the share of records that is read in full."""
    fields: Fields = {f"field{n}": {"a": 1, "b": "x"} if n % 3 == 0 else n for n in range(11)}
    event = Event(profile("cloudtrail"), 1e9, fields, Locator("t", 0, 0, 0))
    rounds: list[float] = []
    sampled = 0
    for _ in range(COST_ROUNDS):
        pulse, sampled = PartitionPulse(TopicPartition("t", 0), "cloudtrail"), 0
        began = time.process_time()
        for offset in range(COST_EVENTS):
            if pulse.begin(offset, 1_000_000_000_000 + offset // 50):
                pulse.sample(event, 1_000_000_000_000)
                sampled += 1
            pulse.count(1)
            if not offset % 500:
                for said in pulse.finished():
                    pulse_message(said)
        rounds.append((time.process_time() - began) / COST_EVENTS * 1e6)
    low, middle, high = min(rounds), statistics.median(rounds), max(rounds)
    print(f"{middle:.2f} us an event ({low:.2f} to {high:.2f}), with the loop")
    print(f"{sampled / COST_EVENTS:.1%} of the records sampled")


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--weeks", type=int, default=10)
    parser.add_argument("--cost", action="store_true", help="measure what counting costs, nothing else")
    options = parser.parse_args()
    if options.cost:
        cost()
        return
    first = 420_000 // WEEK * WEEK
    holiday = first + HOLIDAY_WEEK * WEEK + 5 * DAY
    judged = options.seeds * (options.weeks - 1)
    print(f"{options.seeds} seeds, {options.weeks} weeks, the first of them learnt in silence\n")
    print("| source | false alarms/week | on a holiday | by rule |\n|---|---|---|---|")
    for kind in KINDS:
        clean = [pair for seed in range(options.seeds) for pair in watched(kind, seed, options.weeks)]
        off = [pair for pair in clean if holiday * SLOTS <= pair[1] <= (holiday + 2 * DAY) * SLOTS]
        false = [rule.removeprefix("davylamp-source-") for rule, slot in clean if (rule, slot) not in off]
        rules = ", ".join(f"{name} {false.count(name)}" for name in sorted(set(false)))
        print(f"| {kind.name} | {len(false) / judged:.2f} | {len(off)} | {rules} |")
    print("\n| source | fault | found | delay, median | delay, most |\n|---|---|---|---|---|")
    for kind in KINDS:
        for fault in FAULTS:
            delays = list[float]()
            for seed in range(options.seeds):
                draw = random.Random(f"{seed}/{fault}/{kind.name}")
                at = (first + FAULT_WEEK * WEEK + draw.randrange(WEEK)) * SLOTS + draw.randrange(SLOTS)
                said = [
                    s for rule, s in watched(kind, seed, FAULT_WEEK + 2, fault, at) if rule == RULES[fault]
                ]
                delays += [(min(later) - at) / SLOTS for later in [[s for s in said if s > at]] if later]
            shown = f"{statistics.median(delays):.1f} h | {max(delays):.1f} h" if delays else "- | -"
            print(f"| {kind.name} | {fault} | {len(delays)}/{options.seeds} | {shown} |")


if __name__ == "__main__":
    main()
