"""The shipped templates: they agree with ECS, with each other, and know every field of our own documents."""

from __future__ import annotations

import json
from pathlib import Path

import orjson
import pytest

from connectors.ecs.event import event_document
from connectors.siem.difference import differences
from connectors.siem.templates import templates
from connectors.sources.catalogue import KINDS, profile
from connectors.sources.envelope import unpack

HERE = Path(__file__).parent
ECS = json.loads((HERE.parent / "ecs" / "data" / "ecs_fields.json").read_text())
EVENTS = HERE.parent / "sources" / "data"
PRODUCTS = ("elasticsearch", "opensearch")
# What ECS asks for and not every cluster has: what is sent instead.
INSTEAD = {
    "wildcard": "keyword",
    "constant_keyword": "keyword",
    "match_only_text": "text",
    "object": "flattened",
}
VENDORS = ("aws.", "kubernetes.", "istio.", "hashicorp_vault.")
BOTH = {"keyword", "text", "date", "ip", "long", "float", "boolean", "geo_point", "object"}


def fields(product):
    """Dotted name -> definition, of what all streams share."""
    found = {}
    for template in templates(product):
        properties = (template.body or {}).get("template", {}).get("mappings", {}).get("properties", {})
        _walk("", properties, found)
    return found


def _walk(path, properties, found):
    for name, body in properties.items():
        if "properties" in body:
            _walk(f"{path}{name}.", body["properties"], found)
        else:
            found[f"{path}{name}"] = body


@pytest.mark.parametrize("product", PRODUCTS)
def test_ecs_fields_have_the_types_of_ecs(product):
    types = next(value for key, value in ECS.items() if key not in {"allowed", "arrays", "expected"})
    shared = {name: body["type"] for name, body in fields(product).items() if name in types}
    assert len(shared) > 200
    for name, kind in shared.items():
        wanted = INSTEAD.get(types[name], types[name])
        assert kind == ("flat_object" if product == "opensearch" and wanted == "flattened" else wanted), name


def test_both_products_map_the_same_fields_with_types_that_both_have():
    elastic, open_ = fields("elasticsearch"), fields("opensearch")
    assert set(elastic) == set(open_)
    for name, body in elastic.items():
        if body["type"] == "flattened":
            assert open_[name]["type"] in {"flat_object", "object"}, name
        else:
            assert body == open_[name] and body["type"] in BOTH, name


@pytest.mark.parametrize("product", PRODUCTS)
def test_no_text_of_an_attacker_is_too_long_for_the_index(product):
    for name, body in fields(product).items():
        if body["type"] in {"keyword", "flattened"} and body.get("index", True):
            assert body["ignore_above"] * 4 <= 32_766, name
    assert fields(product)["event.original"] == {"type": "keyword", "index": False, "doc_values": False}


@pytest.mark.parametrize("product", PRODUCTS)
def test_every_stream_has_its_template_and_the_operators_own_parts_come_last(product):
    whole = {template.name: template.body for template in templates(product) if template.kind == "index"}
    assert sorted(whole) == [f"logs-davylamp.{s}" for s in ("alerts", "audit", "events", "incidents")]
    for name, body in whole.items():
        assert body["index_patterns"] == [f"{name}-*"] and body["data_stream"] == {}
        assert 200 <= body["priority"] <= 500
        assert body["composed_of"][-2:] == ["logs-davylamp@custom", f"{name}@custom"]
    own = [template.name for template in templates(product) if template.body is None]
    assert all(name.endswith("@custom") for name in own) and bool(own) == (product == "opensearch")


@pytest.mark.parametrize("product", PRODUCTS)
def test_parts_come_before_what_is_made_of_them(product):
    seen = set()
    for template in templates(product):
        body = template.body or {}
        missing = set(body.get("composed_of", ())) - seen
        assert missing <= set(body.get("ignore_missing_component_templates", ()))
        seen.add(template.name)


def test_every_ecs_field_of_our_events_is_mapped():
    known = fields("elasticsearch")
    found = set()
    for kind in KINDS:
        for path in EVENTS.glob(f"{kind}*.jsonl"):
            for number, line in enumerate(path.read_bytes().splitlines()):
                record = orjson.dumps(orjson.loads(line)["record"])
                for event in unpack(record, profile(kind), "t", 0, number).events:
                    found |= set(_paths("", event_document(event, "default", 0.0).body, known))
    assert len(found) > 100
    ecs = {name for name in found if not name.startswith(VENDORS)}
    assert ecs - set(known) == set()


def _paths(path, value, known):
    if isinstance(value, dict) and path not in known:
        for name, item in value.items():
            yield from _paths(f"{path}.{name}" if path else name, item, known)
    else:
        yield path


def test_what_a_product_writes_back_is_no_difference():
    ours = {
        "template": {"settings": {"index.codec": "best_compression"}, "lifecycle": {"data_retention": "30d"}},
        "data_stream": {},
        "version": 1,
    }
    back = {
        "template": {
            "settings": {"index": {"codec": "best_compression"}},
            "lifecycle": {"enabled": True, "data_retention": "30d"},
        },
        "data_stream": {"hidden": False, "timestamp_field": {"name": "@timestamp"}},
        "version": 1,
        "created_date_millis": 5,
    }
    assert differences(ours, back) == ()
    back["template"]["settings"]["index"]["refresh_interval"] = "9s"
    back["template"]["lifecycle"]["data_retention"] = "7d"
    assert differences(ours, back) == (
        "template.lifecycle.data_retention: 7d, shipped 30d",
        "template.settings.index.refresh_interval: 9s, shipped without",
    )
    assert differences(ours, {})[0].endswith("missing, shipped {}")
