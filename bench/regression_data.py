"""SigmaHQ's regression data: does each rule match the events that its authors say it matches?

    python bench/regression_data.py [FOLDER] [--all-rules FOLDER_OR_TAR] [--json] [--authors]

FOLDER holds `events.jsonl.gz` and `rules.tar.gz` (by default those of the tests). Every rule goes through the
ordinary loader and every event through the ordinary engine, with all rules loaded together. One line a pair
that did not come out as stated; exit code 1 when there is one without a reason.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from detectors.event import Event, Fields, Locator, LogSource
from detectors.sigma.conformance import ConformanceSource
from detectors.sigma.document import RuleDocument
from detectors.sigma.engine import Engine
from detectors.sigma.ruleset import RuleSet

HERE: Final = Path(__file__).resolve().parents[1] / "tests/detectors/sigma/regression"
EMERGING: Final = "rules-emerging-threats/"
CHANNELS: Final[Mapping[str, str]] = {
    "Microsoft-Windows-Sysmon/Operational": "sysmon",
    "Microsoft-Windows-WMI-Activity/Operational": "wmi",
    "Security": "security",
}
SYSMON: Final[Mapping[int, tuple[str, ...]]] = {
    1: ("process_creation",),
    7: ("image_load",),
    11: ("file_event",),
    12: ("registry_add", "registry_delete", "registry_event"),
    13: ("registry_set", "registry_event"),
    17: ("pipe_created",),
}


class WindowsSource(ConformanceSource):
    """Events of one channel and, for Sysmon, of one number."""

    def __init__(self, service: str, number: int) -> None:
        self.kind = f"windows/{service}/{number}"
        categories = SYSMON[number] if service == "sysmon" else (None,)
        self.logsources = tuple(LogSource("windows", service, category) for category in categories)

    def event_id(self, event: Event) -> str:
        """Return the event's place."""
        return str(event.locator)


@dataclass(frozen=True, slots=True)
class Pair:
    """One rule and its events: how many matched, how many should (None: at least one)."""

    rule: str
    path: str
    matched: int
    events: int
    wanted: int | None

    @property
    def right(self) -> bool:
        """Whether it came out as stated."""
        return self.matched > 0 if self.wanted is None else self.matched == self.wanted


def reason(pair: Pair, ruleset: RuleSet) -> str | None:
    """Return why a pair did not come out as stated, or None."""
    if pair.path.startswith(EMERGING) and all(rule.id != pair.rule for rule in ruleset.rules):
        return f"its rule is of {EMERGING}, which is not given"
    return None


def fields_of(record: Mapping[str, Any]) -> Fields:
    """Return the fields of one Windows event, flat."""
    system = record["Event"]["System"]
    data = dict(record["Event"].get("EventData") or {})
    for inner in (record["Event"].get("UserData") or {}).values():
        data |= {key: value for key, value in inner.items() if key != "#attributes"}
    data |= {"Channel": system["Channel"], "EventID": system["EventID"]}
    return data | {"Provider_Name": system["Provider"]["#attributes"]["Name"]}


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


def pairs(folder: Path, ruleset: RuleSet) -> Iterator[Pair]:
    """Yield what came of each rule of the data."""
    engine, sources = Engine(ruleset), dict[tuple[str, int], WindowsSource]()
    with gzip.open(folder / "events.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    for number, row in enumerate(rows):
        [rule] = row["rule_ids"]
        matched = 0
        for place, record in enumerate(row["events"]):
            system = record["Event"]["System"]
            key = (CHANNELS[system["Channel"]], int(system["EventID"]))
            source = sources.setdefault(key, WindowsSource(*key))
            event = Event(source, 0.0, fields_of(record), Locator("regression", 0, number, place))
            inspection = engine.inspect(event)
            matched += any(finding.rule_id == rule for finding in inspection.findings)
        yield Pair(rule, row["rule_paths"][0], matched, len(row["events"]), row["tests"][0]["match_count"])


def main() -> None:
    """Run the data and print what came out otherwise."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=HERE)
    parser.add_argument("--all-rules", type=Path, help="load these rules too (a folder or a tar archive)")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--authors", action="store_true", help="print the rules' authors and end")
    given = parser.parse_args()
    known = {document.path: document for document in documents(given.folder / "rules.tar.gz")}
    if given.authors:
        print("\n".join(f"{path}: {yaml.safe_load(doc.text).get('author')}" for path, doc in known.items()))
        return
    if given.all_rules:
        known |= {document.path: document for document in documents(given.all_rules)}
    ruleset = RuleSet.load(known.values())
    found = list(pairs(given.folder, ruleset))
    wrong = [pair for pair in found if not pair.right]
    summary = {
        "rules": len(ruleset.rules),
        "refused": [str(refusal) for refusal in ruleset.refusals],
        "pairs": len(found),
        "events": sum(pair.events for pair in found),
        "matched": sum(pair.matched for pair in found),
        "right": len(found) - len(wrong),
        "exceptions": {pair.path: reason(pair, ruleset) for pair in wrong},
    }
    if given.json:
        print(json.dumps(summary))
    else:
        print("\n".join(f"{name}: {value}" for name, value in summary.items()))
    sys.exit(None in summary["exceptions"].values() or bool(ruleset.refusals))


if __name__ == "__main__":
    main()
