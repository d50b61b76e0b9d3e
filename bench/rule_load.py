"""Loading rules: cold, from the cache, again after one change; the pause of a swap; memory of the process.

Run `python bench/rule_load.py FOLDER [--files N] [--rounds R] [--json]`. FOLDER holds Sigma rules (a checkout
of SigmaHQ, for example); when it has fewer than N files, copies with new ids and names are made up to N, and
all is done on a copy. Each load is a process of its own. Seconds are of the wall clock; CPU seconds stand
beside them, children counted: on a busy machine only these compare. `one_changed_ms` is with a watch that
names the file, `all_looked_at_ms` without. The longest gap between two events that are judged while a swap
goes on stands beside that of 2 s without one. The figures are a measurement, never a test.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from connectors.sources.catalogue import KINDS, profile
from daemon.garbage import settle
from daemon.live_rules import LiveRules
from daemon.rule_loader import RuleLoader
from detectors.event import Event, Locator
from detectors.sigma.preparation import UNPREPARED

TARGETS = {
    "cold_s": (15.0, None),
    "cached_s": (1.5, None),
    "one_changed_ms": (50.0, None),
    "swap_p99_ms": (10.0, None),
    "memory_mb": (120.0, 60.0),
}
EVENT = {"eventName": "DescribeInstances", "eventSource": "ec2.amazonaws.com", "awsRegion": "eu-west-1"}


def copied(folder: Path, wanted: int, into: Path) -> int:
    """Copy the rules of `folder`, and copies of them under new ids up to `wanted`; return how many."""
    files = sorted(path for path in folder.rglob("*.yml") if not path.name.startswith("."))
    for number, path in enumerate(files[:wanted]):
        shutil.copyfile(path, into / f"{number:05d}_{path.name}")
    for number in range(len(files), wanted):
        text = files[number % len(files)].read_text(encoding="utf-8")
        text = re.sub(r"(?m)^id:.*$", f"id: {uuid.uuid5(uuid.NAMESPACE_OID, str(number))}", text, count=1)
        text = re.sub(r"(?m)^name:.*$", f"name: copy_{number}", text, count=1)
        (into / f"{number:05d}_copy.yml").write_text(text, encoding="utf-8")
    return min(wanted, len(files)) if len(files) >= wanted else wanted


def loaded(folder: Path, cache: Path) -> dict[str, Any]:
    """Load in this process and return seconds, CPU seconds, rules, and the resident memory in MB."""
    loader = RuleLoader([folder], UNPREPARED, cache_folder=cache)
    started, cpu = time.perf_counter(), sum(os.times()[:4])
    ruleset, report = loader.load()
    seconds, used = time.perf_counter() - started, sum(os.times()[:4]) - cpu
    return {
        "s": seconds,
        "cpu_s": used,
        "rules": len(ruleset.rules),
        "refused": len(ruleset.refusals),
        "hits": report.cache["hits"],
        "memory_mb": resident_mb(),
    }


def resident_mb() -> float:
    """Return the resident memory of this process in MB."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def again(folder: Path, cache: Path, rounds: int) -> dict[str, Any]:
    """Change one file and reload, `rounds` times, while a loop judges events; return times and pauses."""
    live = LiveRules(RuleLoader([folder], UNPREPARED, cache_folder=cache), [profile(kind) for kind in KINDS])
    settle()  # as the roles do when rules are loaded
    files = sorted(folder.glob("*.yml"))
    return asyncio.run(_swaps(live, files, rounds))


async def _swaps(live: LiveRules, files: Sequence[Path], rounds: int) -> dict[str, Any]:
    quiet = await _gaps(live, asyncio.create_task(asyncio.sleep(2.0)))
    reload_ms: list[float] = []
    cpu_ms: list[float] = []
    pauses: list[float] = []
    longest: list[float] = []
    all_ms: list[float] = []
    for number in range(rounds + 1):
        path = files[number]
        path.write_text(path.read_text(encoding="utf-8") + f"# {number}\n", encoding="utf-8")
        await asyncio.sleep(0.05)
        started, cpu = time.perf_counter(), time.process_time()
        await live.reload([str(path)])
        if number:  # the first one imports pySigma
            reload_ms.append(1000 * (time.perf_counter() - started))
            cpu_ms.append(1000 * (time.process_time() - cpu))
        path.write_text(path.read_text(encoding="utf-8") + f"# again {number}\n", encoding="utf-8")
        await asyncio.sleep(0.05)
        gaps = await _gaps(live, asyncio.create_task(live.reload([str(path)])))
        pauses += gaps
        longest.append(max(gaps))
        started = time.perf_counter()
        await live.reload()
        all_ms.append(1000 * (time.perf_counter() - started))
    times = {"reload_ms": reload_ms, "cpu_ms": cpu_ms, "all_ms": all_ms}
    return {**times, "pauses": pauses, "longest": longest, "quiet": quiet}


async def _gaps(live: LiveRules, until: asyncio.Task[Any]) -> list[float]:
    """Judge events until the task is done; return the milliseconds from each event to the next."""
    source = profile("cloudtrail")
    gaps: list[float] = []
    before = time.perf_counter()
    number = 0
    while not until.done():
        for _ in range(20):
            number += 1
            live.engine.inspect(Event(source, 0.0, {**EVENT, "n": number}, Locator("bench", 0, number, 0)))
            now = time.perf_counter()
            gaps.append(1000 * (now - before))
            before = now
        await asyncio.sleep(0)
    await until
    return gaps


def percentile(values: Sequence[float], share: float) -> float:
    """Return the nearest rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def in_process(what: str, folder: Path, cache: Path, rounds: int) -> Any:
    """Run one measurement in a process of its own."""
    command = [sys.executable, __file__, "--only", what, "--cache", str(cache), "--rounds", str(rounds)]
    done = subprocess.run([*command, str(folder)], stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def measured(folder: Path, wanted: int, rounds: int) -> dict[str, Any]:
    """Return every figure of one run."""
    with tempfile.TemporaryDirectory() as place:
        rules, cache = Path(place) / "rules", Path(place) / "cache"
        rules.mkdir()
        files = copied(folder, wanted, rules)
        cold = [in_process("load", rules, Path(place) / f"cache{turn}", 0) for turn in range(2)]
        in_process("load", rules, cache, 0)
        cached = [in_process("load", rules, cache, 0) for _ in range(rounds)]
        swaps = in_process("again", rules, cache, rounds)
    return {
        "files": files,
        "rules": cached[0]["rules"],
        "refused": cached[0]["refused"],
        "from_cache": cached[0]["hits"],
        "cold_s": statistics.median(one["s"] for one in cold),
        "cold_cpu_s": statistics.median(one["cpu_s"] for one in cold),
        "cold_memory_mb": max(one["memory_mb"] for one in cold),
        "cached_s": statistics.median(one["s"] for one in cached),
        "cached_spread_s": [min(one["s"] for one in cached), max(one["s"] for one in cached)],
        "cached_cpu_s": statistics.median(one["cpu_s"] for one in cached),
        "memory_mb": statistics.median(one["memory_mb"] for one in cached),
        "one_changed_ms": statistics.median(swaps["reload_ms"]),
        "one_changed_cpu_ms": statistics.median(swaps["cpu_ms"]),
        "all_looked_at_ms": statistics.median(swaps["all_ms"]),
        "swap_p99_ms": percentile(swaps["pauses"], 0.99),
        "swap_p9999_ms": percentile(swaps["pauses"], 0.9999),
        "swap_longest_ms": statistics.median(swaps["longest"]),
        "swap_longest_of_all_ms": max(swaps["longest"]),
        "no_swap_p99_ms": percentile(swaps["quiet"], 0.99),
        "no_swap_longest_ms": max(swaps["quiet"]),
    }


def show(found: dict[str, Any]) -> None:
    """Print the figures, with must and aim where the project has them."""
    for name, value in found.items():
        text = f"{value:.3f}" if isinstance(value, float) else str(value)
        must, aim = TARGETS.get(name, (None, None))
        told = "" if must is None else f"   must {must:g}: {'met' if value <= must else 'MISSED'}"
        told += "" if aim is None else f", aim {aim:g}: {'met' if value <= aim else 'missed'}"
        print(f"{name:<24}{text}{told}")


def main() -> None:
    """Print one run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path, help="a folder of Sigma rules")
    parser.add_argument("--files", type=int, default=3780)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--only", choices=("load", "again"), help=argparse.SUPPRESS)
    parser.add_argument("--cache", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.only == "load":
        print(json.dumps(loaded(given.folder, given.cache)))
    elif given.only == "again":
        print(json.dumps(again(given.folder, given.cache, given.rounds)))
    elif not any(given.folder.rglob("*.yml")):
        parser.error(f"{given.folder} holds no rules")
    else:
        found = measured(given.folder, given.files, given.rounds)
        if given.json:
            print(json.dumps(found))
        else:
            show(found)


if __name__ == "__main__":
    main()
