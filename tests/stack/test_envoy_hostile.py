"""What a caller sends on purpose to a real Envoy: whatever it logs is read, and no line is made up."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest
from parts.envoy import EnvoyPart
from parts.envoy_access import WEB
from parts.envoy_access_log import SIDES
from parts.envoy_config import API
from parts.envoy_log import LogTail

from connectors.sources.catalogue import profile
from connectors.sources.envelope import unpack

ISTIO = profile("istio_access")
HOST: Final = f"Host: {API}\r\nConnection: close\r\n".encode()
FORGED: Final = b'[2026-01-01T00:00:00.000Z] "GET /forged HTTP/1.1" 200 - via_upstream - "-" 0 0 0 0'
HOSTILE: Final = {
    "no HTTP at all": b"\x16\x03\x01 not http\r\n\r\n",
    "empty request line": b"\r\n\r\n",
    "unknown method": b"BREW /pot HTTP/1.1\r\n" + HOST + b"\r\n",
    "HTTP 1.0": b"GET /old HTTP/1.0\r\n\r\n",
    "two lengths": b"POST /x HTTP/1.1\r\n" + HOST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    "smuggled chunks": b"POST /x HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked, x\r\n\r\n0\r\n\r\n",
    "quotes in the path": b'GET /a"b"c HTTP/1.1\r\n' + HOST + b"\r\n",
    "newline in the path": b"GET /a%0a" + FORGED.replace(b" ", b"%20") + b" HTTP/1.1\r\n" + HOST + b"\r\n",
    "long path": b"GET /" + b"p" * 20_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n",
    "headers over the limit": b"GET /h HTTP/1.1\r\n" + HOST + b"X: " + b"h" * 90_000 + b"\r\n\r\n",
    "a line in the user agent": b"GET /ua HTTP/1.1\r\n" + HOST + b"User-Agent: " + FORGED + b"\r\n\r\n",
    "quotes in the host": b'GET /h HTTP/1.1\r\nHost: "evil" "x"\r\nConnection: close\r\n\r\n',
    "control characters": b"GET /c HTTP/1.1\r\n" + HOST + b"User-Agent: a\tb\x1bc\r\n\r\n",
    "a hash for an address": b"GET /f HTTP/1.1\r\n"
    + HOST
    + b"X-Forwarded-For: ::ffff:10.0.0.1, \xff\r\n\r\n",
    "request id with spaces": b"GET /i HTTP/1.1\r\n" + HOST + b'X-Request-Id: " - - 200 "\r\n\r\n',
    "absolute target": b"GET http://elsewhere.example/x HTTP/1.1\r\n" + HOST + b"\r\n",
    "hangs up at once": b"GET /half HTTP/1.1\r\nHost: ",
}


@pytest.fixture(scope="module")
def lines(envoy: EnvoyPart) -> dict[tuple[str, str], list[bytes]]:
    """What both sidecars logged in both formats, up to the last call, which is an honest one."""
    files: dict[tuple[str, str], Path] = {(side, "json"): envoy.json_log(side) for side in SIDES}
    files |= {(side, "text"): envoy.text_log(side) for side in SIDES}
    tails = {key: LogTail(file) for key, file in files.items()}
    for sent in HOSTILE.values():
        envoy.raw(WEB, sent)
        envoy.raw_inbound(sent)
    envoy.request(WEB, "/last")
    return {key: tail.wait(until=lambda line: b"/last" in line) for key, tail in tails.items()}


@pytest.mark.claim(
    "whatever a caller sends to a proxy, each line that it logs is one event, none is lost or made up"
)
@pytest.mark.parametrize("form", ["json", "text"])
@pytest.mark.parametrize("side", SIDES)
def test_hostile_callers_are_read(lines: dict[tuple[str, str], list[bytes]], side: str, form: str) -> None:
    assert len(lines[side, form]) >= len(HOSTILE)
    for number, raw in enumerate(lines[side, form]):
        one = unpack(raw, ISTIO, "istio.access", 0, number)
        assert [str(reject) for reject in one.rejects] == [], raw[:300]
        (event,) = one.events
        assert event.fields["path"] != "/forged"
        assert ISTIO.ecs(event)["event"]["outcome"] in {"success", "failure", "unknown"}
        assert event.event_id and ISTIO.summary(event)
