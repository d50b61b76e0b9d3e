"""docs/mesh.md: its formats are read with the configuration that stands beside them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from config.istio import Istio
from connectors.sources.envelope import unpack
from connectors.sources.istio_configured import configured

PAGE = (Path(__file__).parents[3] / "docs/mesh.md").read_text(encoding="utf-8")
BLOCKS: list[dict[str, Any]] = [
    yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
]
FORMATS = {
    block["meshConfig"]["accessLogEncoding"]: block["meshConfig"]["accessLogFormat"]
    for block in BLOCKS
    if "accessLogFormat" in block.get("meshConfig", {})
}
SETTINGS = [Istio.model_validate(block["istio"]) for block in BLOCKS if "istio" in block]
SAID = {
    "%START_TIME%": "2026-11-23T10:00:00.000Z",
    "%REQ(:METHOD)%": "GET",
    "%REQ(:PATH)%": "/admin",
    "%PROTOCOL%": "HTTP/1.1",
    "%RESPONSE_CODE%": "403",
    "%RESPONSE_CODE_DETAILS%": "rbac_access_denied_matched_policy[none]",
    "%UPSTREAM_CLUSTER_RAW%": "inbound|80||",
    "%DOWNSTREAM_REMOTE_ADDRESS%": "198.51.100.7:0",
    "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS%": "10.0.0.9:41000",
    "%DOWNSTREAM_PEER_URI_SAN%": "spiffe://td/ns/shop/sa/batch",
    "%DOWNSTREAM_TLS_VERSION%": "TLSv1.3",
}


def logged(format_: str) -> bytes:
    """Return what Envoy writes by `format_`; what is not said is "-"."""
    return re.sub(r"%[A-Z_]+(?:\([^)]*\))?%", lambda found: SAID.get(found[0], "-"), format_).strip().encode()


@pytest.mark.parametrize("encoding", ["JSON", "TEXT"])
def test_the_formats_tell_who_called(encoding):
    istio = SETTINGS[0] if encoding == "TEXT" else Istio()
    line = logged(FORMATS[encoding])
    line = json.dumps(json.loads(line)).encode() if encoding == "JSON" else line
    source = configured("istio_access", istio)
    (event,) = unpack(line, source, "t", 0, 1).events
    assert event.fields["path"] == "/admin" and event.fields["response_code"] == 403
    assert [tuple(entity)[:2] for entity in source.entities(event)][:2] == [
        ("service_account", "shop/batch"),
        ("address", "10.0.0.9"),
    ]
    assert source.ecs(event)["tls"]["version"] == "1.3"


def test_the_line_that_davylamp_is_told_is_the_line_of_the_mesh():
    assert SETTINGS[0].text_formats == (FORMATS["TEXT"].strip(),)


def test_the_field_map_is_one():
    source = configured("istio_access", SETTINGS[1])
    record = {"ts": "2026-11-23T10:00:00.000Z", "who": "spiffe://td/ns/n/sa/s", "answer": {"status": "200"}}
    (event,) = unpack(json.dumps(record).encode(), source, "t", 0, 1).events
    assert event.fields["response_code"] == 200
