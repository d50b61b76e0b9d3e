"""The recordings that the detection report measures: which lines are attacks, look-alikes, or left out.

A recording lies in the shared test data; its README says what its labels mean. Every line of a file gets the
id by which its labels speak of it (audit id, request id, event id, or the 0-based number of the line).
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

Id = str | int
INVENTORIES = Path(__file__).parent / "detection_report"


class Recording(NamedTuple):
    """A file of events with its labels. `ids`: the id of each line, in order.

    `attacks`: name of a technique -> ids, `told`: the name in words; `ignored` ids count in no figure.
    `rate`: the rest is ordinary traffic, alerts on it are false. `sigmahq`: rules for it exist there.
    """

    name: str
    kind: str
    path: Path
    ids: Sequence[Id]
    attacks: Mapping[str, frozenset[Id]]
    told: Mapping[str, str] = {}
    lookalikes: Mapping[str, frozenset[Id]] = {}
    ignored: frozenset[Id] = frozenset()
    rate: bool = True
    inventory: Path | None = None
    sigmahq: bool = True
    baselines: bool = False
    note: str = ""

    @property
    def attacked(self) -> frozenset[Id]:
        """Every id that is part of a technique."""
        return frozenset[Id]().union(*self.attacks.values())

    @property
    def alike(self) -> frozenset[Id]:
        """Every id of a look-alike."""
        return frozenset[Id]().union(*self.lookalikes.values())

    @property
    def ordinary(self) -> int:
        """How many ids are neither attack nor look-alike nor left out."""
        return len(set(self.ids) - self.attacked - self.alike - self.ignored)


def recordings(shared: Path, scratch: Path) -> list[Recording]:
    """Return every recording of `shared`; `scratch` takes what must be unwrapped first.

    Raises FileNotFoundError when a file is not there.
    """
    data = shared / "data"
    return [
        _lab(data / "k8s_apiserver", "kubernetes_audit", "auditID", _audit_id, "kubernetes.yaml"),
        _lab(data / "vault_lab", "vault_audit", "request_id", _request_id, "vault.yaml"),
        _mesh(data / "mesh_lab", "access.jsonl.gz", "mesh_lab, JSON"),
        _mesh(data / "mesh_lab", "access.log.gz", "mesh_lab, TEXT"),
        _invictus(data / "cloudtrail"),
        _stratus(data / "cloudtrail" / "stratus_detonation_a.jsonl.gz", scratch / "stratus.jsonl"),
        _ordinary(data / "cloudtrail" / "sans504_a.jsonl.gz"),
    ]


def _lab(folder: Path, kind: str, key: str, identify: Callable[[Any], Id], inventory: str) -> Recording:
    path = folder / "events.jsonl.gz"
    ids = [identify(json.loads(line)) for line in _lines(path)]
    labels = json.loads((folder / "labels.json").read_text(encoding="utf-8"))
    return _labelled(
        Recording(folder.name, kind, path, ids, {}, inventory=INVENTORIES / inventory), labels, f"{key}s"
    )._replace(sigmahq=kind == "kubernetes_audit", baselines=kind == "vault_audit")


def _mesh(folder: Path, file: str, name: str) -> Recording:
    path = folder / file
    ids = range(sum(1 for _ in _lines(path)))
    labels = json.loads((folder / "labels.json").read_text(encoding="utf-8"))
    bare = Recording(name, "istio_access", path, ids, {}, inventory=INVENTORIES / "mesh.yaml")
    return _labelled(bare, labels, "line_numbers")._replace(sigmahq=False, baselines=True)


def _labelled(bare: Recording, labels: Mapping[str, Any], key: str) -> Recording:
    attacks: dict[str, frozenset[Id]] = {}
    alike: dict[str, frozenset[Id]] = {}
    ignored: set[Id] = set(labels.get(f"ignore_{key}", ()))
    for label in labels["labels"]:
        (alike if label["benign"] else attacks)[label["id"]] = frozenset(label[key])
        ignored |= set(label.get(f"supporting_{key}", ()))
    told = {label["id"]: label["name"] for label in labels["labels"]}
    return bare._replace(attacks=attacks, told=told, lookalikes=alike, ignored=frozenset(ignored))


def _invictus(folder: Path) -> Recording:
    path = folder / "invictus_stratus_a.jsonl.gz"
    labels = json.loads((folder / "invictus_stratus_a.labels.json").read_text(encoding="utf-8"))
    found = _gathered(
        (label["technique"], event_id)
        for label in labels["labels"]
        if label["technique"] is not None
        for event_id in label["key_event_ids"]
    )
    ids = [json.loads(line)["eventID"] for line in _lines(path)]
    note = "the rest is the same operator's Terraform, so alerts there are no false ones and are not counted"
    return Recording("invictus_stratus_a", "cloudtrail", path, ids, found, rate=False, note=note)


def _stratus(path: Path, unwrapped: Path) -> Recording:
    records = [json.loads(line) for line in _lines(path)]
    unwrapped.write_text("".join(json.dumps(one["event"]) + "\n" for one in records), encoding="utf-8")
    found = _gathered((one["technique"], one["event"]["eventID"]) for one in records)
    ids = [one["event"]["eventID"] for one in records]
    note = "attacks only, with what each technique needs before and after"
    return Recording("stratus_detonation_a", "cloudtrail", unwrapped, ids, found, rate=False, note=note)


def _ordinary(path: Path) -> Recording:
    """Return the recording whose README names the two hours in which somebody looked around."""
    events = [json.loads(line) for line in _lines(path)]
    around = frozenset(
        one["eventID"] for one in events if "2021-07-29T13" <= one["eventTime"] < "2021-07-29T15"
    )
    note = "ordinary traffic only; the two hours in which its README has an attacker are left out"
    ids = [one["eventID"] for one in events]
    return Recording("sans504_a", "cloudtrail", path, ids, {}, ignored=around, note=note)


def _gathered(pairs: Iterable[tuple[str, str]]) -> dict[str, frozenset[Id]]:
    found: dict[str, set[Id]] = {}
    for technique, event_id in pairs:
        found.setdefault(technique, set()).add(event_id)
    return {technique: frozenset(ids) for technique, ids in found.items()}


def _audit_id(record: Any) -> Id:
    return record["auditID"]


def _request_id(record: Any) -> Id:
    return record.get("request", {}).get("id", "")


def _lines(path: Path) -> Iterator[bytes]:
    with gzip.open(path, "rb") as file:
        yield from file
