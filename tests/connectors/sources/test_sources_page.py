"""`docs/sources.md` says which test covers which source in which envelope, and each cell is true.

`python tests/connectors/sources/test_sources_page.py` writes the page from the samples in `envelopes/`.
"""

from __future__ import annotations

import base64
import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest

from connectors.sources.catalogue import profile
from connectors.sources.envelope import unpack

HERE = Path(__file__).parent
PAGE = HERE.parents[2] / "docs/sources.md"
TEST = "test_sample_gives_the_event_and_its_origin"
FORMS = {
    "CloudTrail": "cloudtrail",
    "Kubernetes audit": "kubernetes_audit",
    "Istio JSON": "istio_access",
    "Istio TEXT": "istio_access",
    "ztunnel": "istio_access",
    "vault audit": "vault_audit",
}
CLOUDTRAIL, KUBERNETES = frozenset({"CloudTrail"}), frozenset({"Kubernetes audit"})
OBJECTS = frozenset(FORMS) - {"Istio TEXT", "ztunnel"}


class Envelope(NamedTuple):
    """An envelope: its name, how a value in it is told, and the forms that its writers put into it."""

    name: str
    told: Callable[[bytes, Any], bool]
    holds: frozenset[str] = frozenset(FORMS)


def keys(*names: str) -> Callable[[bytes, Any], bool]:
    return lambda _, value: isinstance(value, dict) and all(name in value for name in names)


def either(*rules: Callable[[bytes, Any], bool]) -> Callable[[bytes, Any], bool]:
    return lambda text, value: any(rule(text, value) for rule in rules)


def event_list(_: bytes, value: Any) -> bool:
    return isinstance(value, list) or (isinstance(value, dict) and value.get("kind") == "EventList")


def firehose(_: bytes, value: Any) -> bool:
    return keys("records")(b"", value) and "data" in value["records"][0]


def azure(_: bytes, value: Any) -> bool:
    rows = value.get("records", [value]) if isinstance(value, dict) else [{}]
    return "category" in rows[0] and "properties" in rows[0]


def cri(text: bytes, value: Any) -> bool:
    words = text.split(b" ", 3)
    return (
        value is None and len(words) == 4 and words[1] in {b"stdout", b"stderr"} and words[2] in {b"F", b"P"}
    )


def lines(text: bytes, value: Any) -> bool:
    return value is None and b"\n" in text and text[:2] != b"\x1f\x8b" and not cri(text, value)


def pointer(text: bytes, value: Any) -> bool:
    return keys("s3Bucket", "s3ObjectKey")(text, value) or (keys("Records")(text, value) and b'"s3"' in text)


ENVELOPES: dict[int, Envelope] = {
    1: Envelope("gzip", lambda text, _: text[:2] == b"\x1f\x8b"),
    2: Envelope("base64 of gzip", lambda text, _: text[:4] == b"H4sI"),
    3: Envelope("CloudWatch Logs subscription", keys("messageType", "logGroup", "logEvents")),
    4: Envelope("Lambda, Firehose", either(keys("awslogs"), firehose)),
    5: Envelope("EventBridge", keys("detail-type", "detail"), CLOUDTRAIL),
    6: Envelope("SNS notification", keys("Type", "Message", "TopicArn")),
    7: Envelope("S3 and CloudTrail pointers", pointer, CLOUDTRAIL),
    8: Envelope("CloudTrail file", lambda t, v: keys("Records")(t, v) and not pointer(t, v), CLOUDTRAIL),
    9: Envelope("LookupEvents", either(keys("CloudTrailEvent"), keys("Events")), CLOUDTRAIL),
    10: Envelope("EventList, bare array", event_list, OBJECTS),
    11: Envelope("Azure diagnostics", azure, KUBERNETES),
    12: Envelope("Fluent Bit", lambda t, v: keys("kubernetes")(t, v) and not keys("message")(t, v)),
    13: Envelope("Vector", keys("message", "source_type")),
    14: Envelope("Filebeat, Elastic Agent", keys("message", "@metadata")),
    15: Envelope("OTLP JSON", keys("resourceLogs")),
    16: Envelope("container runtime (CRI)", cri),
    17: Envelope(
        "Docker json-file", lambda t, v: keys("log", "stream", "time")(t, v) and "kubernetes" not in v
    ),
    18: Envelope("JSON Lines, concatenated, lines", lines),
}


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"of_page_{name}", HERE / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def value_of(row: dict[str, Any]) -> bytes:
    return base64.b64decode(row["base64"]) if "base64" in row else row["text"].encode()


def form_of(row: dict[str, Any]) -> str:
    if "line" in row:
        return "ztunnel" if "\taccess\t" in row["line"] else "Istio TEXT"
    return next(form for form, source in FORMS.items() if source == row["source"])


def number_of(value: bytes) -> int:
    """Return the number of the outermost envelope; exactly one must be told."""
    try:
        decoded = json.loads(value)
    except ValueError:
        decoded = None
    (number,) = [number for number, envelope in ENVELOPES.items() if envelope.told(value, decoded)]
    return number


def samples() -> dict[str, dict[str, Any]]:
    """Return the ids under which the samples run, as pytest makes them, and the sample of each."""
    (mark,) = getattr(load("test_envelopes"), TEST).pytestmark
    return dict(zip(mark.kwargs["ids"], (sample for _, sample in mark.args[1]), strict=True))


def cells() -> dict[tuple[int, str], list[str]]:
    """Return envelope number and form -> the ids that cover it."""
    found: dict[tuple[int, str], list[str]] = {}
    for name, row in samples().items():
        if not name.startswith("19_"):
            found.setdefault((number_of(value_of(row)), form_of(row)), []).append(name)
    return found


def page() -> str:
    """Return the text of `docs/sources.md`."""
    covered = cells()
    rows = []
    for number, envelope in ENVELOPES.items():
        said = [", ".join(f"`{name}`" for name in covered.get((number, form), [])) for form in FORMS]
        said = [one if form in envelope.holds else "-" for one, form in zip(said, FORMS, strict=True)]
        rows.append(f"| {number} | {envelope.name} | " + " | ".join(said) + " |")
    nested = sorted(name for name in samples() if name.startswith("19_"))
    return HEAD + "\n".join(rows) + CHAINS + "\n".join(f"* `{name}`" for name in nested) + "\n"


HEAD = f"""# Sources in envelopes

Made by `python tests/connectors/sources/test_sources_page.py` from the samples in
`tests/connectors/sources/envelopes`; a test fails when it is not current. How an envelope is told and what is
read of it: [dead-letters.md](dead-letters.md).

A cell is the id of the test that covers it: `tests/connectors/sources/test_envelopes.py::{TEST}[ID]`.
It reads the sample and compares the event with that of the bare record, and the origin with what the envelope
states (number 7 holds no event: `pointer`). `-`: what writes this envelope puts no such source into it.

| no. | envelope | {" | ".join(FORMS)} |
|---|---|{"---|" * len(FORMS)}
"""
CHAINS = """

Inside one another, up to four deep: any chain made at random
(`test_any_chain_up_to_four_gives_the_same_event`), and these as platforms build them:

"""


def test_the_page_is_current():
    assert PAGE.read_text() == page()


def test_no_cell_is_empty():
    covered = cells()
    empty = [(no, form) for no, one in ENVELOPES.items() for form in one.holds if (no, form) not in covered]
    assert not empty


@pytest.mark.parametrize("name", sorted(samples()))
def test_a_named_test_covers_its_cell(name):
    row = samples()[name]
    value = value_of(row)
    number = number_of(value)
    if int(name[:2]) <= 18 and not name.startswith("07_pointer_sns"):
        assert number == int(name[:2])
    found = unpack(value, profile(FORMS[form_of(row)]), "raw", 0, 7)
    if number == 7 or "pointer" in name:
        assert [reject.reason.value for reject in found.rejects] == ["pointer"]
    else:
        assert found.events or found.control
        assert {event.source for event in found.events} <= {row["source"]}


if __name__ == "__main__":
    PAGE.write_text(page())
