"""The chart as tests see it: Helm's own engine renders it, for the combinations of `combinations.yaml`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, cast

import helm_python as helm
import yaml

ROOT: Final = Path(__file__).resolve().parents[3]
CHART: Final = ROOT / "helm" / "davylamp"
RELEASE: Final = "rel"
NAMESPACE: Final = "sec"

Object = dict[str, Any]


def given(name: str) -> Object:
    """Return the values of `ci/NAME-values.yaml`."""
    return yaml.safe_load((CHART / "ci" / f"{name}-values.yaml").read_text(encoding="utf-8"))


def combinations() -> dict[str, Object]:
    """Return name -> values: each is one of the `ci` files with something changed."""
    text = (Path(__file__).parent / "combinations.yaml").read_text(encoding="utf-8")
    listed: dict[str, Object] = yaml.safe_load(text)
    return {name: merged(given(entry["base"]), entry.get("values") or {}) for name, entry in listed.items()}


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> Object:
    """Merge as Helm does: mappings by key, everything else replaced."""
    out = dict(below)
    for key, value in above.items():
        old = out.get(key)
        if isinstance(value, Mapping) and isinstance(old, Mapping):
            out[key] = merged(cast("Mapping[str, Any]", old), cast("Mapping[str, Any]", value))
        else:
            out[key] = value
    return out


def manifests(values: Object) -> dict[str, str]:
    """Return path -> text of every rendered file. Raises helm.HelmError."""
    with helm.Chart.load(str(CHART)) as chart:
        return chart.render(values=values, name=RELEASE, namespace=NAMESPACE)


def objects(values: Object) -> list[Object]:
    """Return every rendered object, hooks and tests too."""
    return json.loads(_rendered(json.dumps(values, sort_keys=True)))


@lru_cache(maxsize=64)
def _rendered(values: str) -> str:
    texts = sorted(manifests(json.loads(values)).items())
    loaded = (yaml.load_all(text, yaml.CSafeLoader) for path, text in texts if not path.endswith("NOTES.txt"))
    return json.dumps([found for documents in loaded for found in documents if found])


def of_kind(values: Object, kind: str) -> dict[str, Object]:
    """Return name -> object of the rendered objects of `kind`."""
    return {found["metadata"]["name"]: found for found in objects(values) if found["kind"] == kind}


def pods(found: list[Object]) -> dict[str, Object]:
    """Return name -> pod spec of everything that runs pods."""
    specs: dict[str, Object] = {}
    for item in found:
        if item["kind"] == "Pod":
            specs[item["metadata"]["name"]] = item["spec"]
        elif "template" in item.get("spec", {}):
            specs[item["metadata"]["name"]] = item["spec"]["template"]["spec"]
    return specs
