"""Davylamp's Sigma engine and its peers on the same events and rules, in one run and in turns.

Run `python bench/engines.py --inputs DIR --rules DIR [--peers DIR] [--runners DIR] [--events N] [--rounds R]
[--only NAME,...] [--json]`. `--inputs`: `cloudtrail.jsonl` and `k8s.jsonl`, an event a line; without it the
benchmark makes events of its own. `--rules`: folders `cloud` (the rules of all figures) and, if there, `all`;
without it the shipped rules. `--peers`: other engines, built (`peer_program.py` says where it looks); an
absent one is said by name.

Figures are CPU time (user and system) an event. Ratio: bare `orjson.loads` of the same lines over the whole,
taken within a round; median, least and greatest over the rounds. Of a program, a run on one event is taken
off (start and loading). Slow peers see the beginning of the same file, once. Exits 1 when Davylamp's ways
differ in what they find. The figures are a measurement, never a test.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import orjson
from engine_report import show
from engine_run import Bench, Given
from scan_events import event, write_week

from config.detection import Detection
from daemon.garbage import settle
from daemon.ruleset import ruleset


def own_inputs(folder: Path, count: int) -> Path:
    """Write `count` events of each input that the benchmarks make themselves; return the folder."""
    with (folder / "cloudtrail.jsonl").open("wb") as file:
        file.writelines(orjson.dumps(event(number)) + b"\n" for number in range(count))
    write_week(folder / "k8s.jsonl", "kubernetes_audit", count)
    return folder


def rule_folders(rules: Path | None) -> dict[str, Path]:
    """Return the rule folders by name, that of all figures first. Raises SystemExit when it is not there."""
    if rules is None:
        import detectors.rules

        return {"shipped": Path(str(detectors.rules.__file__)).parent}
    if not (rules / "cloud").is_dir():
        sys.exit(f"{rules} holds no folder `cloud`")
    return {name: rules / name for name in ("cloud", "all") if (rules / name).is_dir()}


def given() -> argparse.Namespace:
    """Return the arguments."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--inputs", type=Path)
    parser.add_argument("--rules", type=Path)
    parser.add_argument("--peers", type=Path, help="other engines, built")
    parser.add_argument("--runners", type=Path, help="the programs around Python engines [PEERS/runners]")
    parser.add_argument("--events", type=int, default=40_000, help="of each input")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sources", default="cloudtrail,k8s")
    parser.add_argument("--only", default="", help="names of peers, comma between")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def main() -> None:
    """Measure and print."""
    asked = given()
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        inputs = asked.inputs or own_inputs(scratch, asked.events)
        folders = rule_folders(asked.rules)
        loaded = {
            name: ruleset(Detection(builtin_rules=False, rules=(folder,))) for name, folder in folders.items()
        }
        settle()
        found: dict[str, Any] = {
            "rules": {name: len(one.rules) for name, one in loaded.items()},
            "inputs": {},
        }
        for source in asked.sources.split(","):
            bench = Bench(Given(source, inputs / f"{source}.jsonl", scratch, folders, loaded, asked.events))
            peers = bench.installed(asked.peers, asked.runners, {one for one in asked.only.split(",") if one})
            found["inputs"][source] = bench.measure(peers, asked.rounds)
    print(json.dumps(found)) if asked.json else show(found)
    sys.exit(any(one["own_ways_differ"] for one in found["inputs"].values()))


if __name__ == "__main__":
    main()
