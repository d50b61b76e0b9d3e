"""Older formats, Envoy's own and a mesh operator's, written by a real Envoy, give the same events."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import pytest
from parts.envoy import EnvoyPart
from parts.envoy_access import BATCH, WEB
from parts.envoy_access_log import ENVOY_DEFAULT, SIDES, Side
from parts.envoy_log import LogTail

from connectors.sources.envelope import unpack
from connectors.sources.istio_access import IstioAccess
from connectors.sources.istio_format import TextFormat
from connectors.sources.istio_json import FieldMap
from detectors.event import Event

QUOTED: Final = 'x" "y" 200 - "-" "-" 1 2 3'
DIALECTS: Final = ("istio_1_8", ENVOY_DEFAULT, "operator_text", "operator_json")
LINES: Final = {"client": 7, "server": 6}


class Played(NamedTuple):
    """The events by sidecar and format."""

    events: dict[tuple[str, str], list[Event]]


def play(envoy: EnvoyPart) -> None:
    """Seven calls on the client's side, six of which reach the server's."""
    assert envoy.request(WEB, "/one?a=b", headers={"User-Agent": "web/1.0"}) == 200
    assert envoy.request(BATCH, "/two") == 403
    assert envoy.request(WEB, "/three", headers={"User-Agent": QUOTED}) == 200
    assert envoy.request(WEB, "/four", method="POST", content=b"z" * 77) == 200
    assert envoy.request(WEB, "/five", host="evil.example") == 502
    assert envoy.stream(WEB, b"q" * 10) == b"q" * 10
    assert envoy.stream(BATCH, b"no") == b""


def source(envoy: EnvoyPart, form: str) -> IstioAccess:
    """Return the source as the daemon has it when its configuration holds that format."""
    if form == "operator_text":
        return IstioAccess(formats=[TextFormat(envoy.logs.text(form))])
    if form == "operator_json":
        return IstioAccess(fields=FieldMap(envoy.logs.keys(form)))
    return IstioAccess()


@pytest.fixture(scope="module")
def played(envoy: EnvoyPart) -> Iterator[Played]:
    """The play, once; every line is one event."""
    keys: list[tuple[Side, str]] = [(side, form) for side in SIDES for form in ("json", *DIALECTS)]
    tails = {key: LogTail(envoy.logs.file(*key)) for key in keys}
    play(envoy)
    events: dict[tuple[str, str], list[Event]] = {}
    for (side, form), tail in tails.items():
        lines = tail.wait(LINES[side])
        read = [unpack(raw, source(envoy, form), "istio.access", 0, n) for n, raw in enumerate(lines)]
        assert [reject for one in read for reject in one.rejects] == []
        events[side, form] = [event for one in read for event in one.events]
        assert len(events[side, form]) == len(lines) == LINES[side]
    yield Played(events)


@pytest.mark.claim(
    "Istio 1.4-1.8 TEXT, Envoy's default and configured formats give the values of the JSON encoding"
)
@pytest.mark.parametrize("form", DIALECTS)
@pytest.mark.parametrize("side", SIDES)
def test_a_dialect_says_the_same(played: Played, side: str, form: str) -> None:
    for event, wanted in zip(played.events[side, form], played.events[side, "json"], strict=True):
        shared = {
            key: value for key, value in event.fields.items() if key in wanted.fields and key != "start_time"
        }
        assert shared == {key: wanted.fields[key] for key in shared}
        assert len(shared) >= 10
        assert abs(event.time - wanted.time) < 0.002


@pytest.mark.claim("outcome and caller are the same in every format that holds what they are read from")
@pytest.mark.parametrize("form", ["istio_1_8", "operator_text", "operator_json"])
def test_a_dialect_means_the_same(played: Played, form: str) -> None:
    for event, wanted in zip(played.events["server", form], played.events["server", "json"], strict=True):
        if not denied_stream(wanted):
            assert event.profile.outcome(event) == wanted.profile.outcome(wanted)
        if form.startswith("operator"):
            assert event.profile.entities(event)[0] == wanted.profile.entities(wanted)[0]


def denied_stream(event: Event) -> bool:
    """Only the termination details say that a stream was denied, and most formats leave them out."""
    details: Any = event.fields["connection_termination_details"]
    return details is not None and event.fields["method"] is None
