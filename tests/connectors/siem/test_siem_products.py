"""Targets by their settings, and what OpenSearch is asked before the first document."""

from __future__ import annotations

import base64
import random

import pytest

from config.forwarding import ElasticsearchTarget, FileTarget, OpenSearchTarget
from config.secret import Secret
from connectors.ecs.stream import Document
from connectors.siem.bulk_siem import BulkSiem
from connectors.siem.catalogue import authorization, target_of
from connectors.siem.file import FileSiem
from connectors.siem.target import RefusedError, TargetAwayError

from .conftest import OPEN

STREAM = "/_data_stream/logs-davylamp.events-default"


@pytest.fixture
async def siem(double):
    double.root, double.extra = (200, OPEN), {}
    found = target_of(OpenSearchTarget(urls=(double.url,)), "default", lambda: 0.5)
    await found.open()
    yield found
    await found.close()


def one():
    return [Document.of("events", "e0", {"message": "x"}, "default", 0.0)]


def test_settings_make_targets(tmp_path):
    made = target_of(FileTarget(folder=tmp_path), "prod", random.random)
    assert isinstance(made, FileSiem) and made.name == "file"
    for settings in (ElasticsearchTarget(), OpenSearchTarget()):
        made = target_of(settings, "prod", random.random)
        assert isinstance(made, BulkSiem) and made.name == settings.kind == made.dialect.templates


async def test_an_unreadable_key_is_away_by_its_file(tmp_path):
    settings = ElasticsearchTarget(api_key=Secret(file=tmp_path / "missing"))
    with pytest.raises(TargetAwayError, match="missing"):
        await target_of(settings, "prod", random.random).open()


def test_credentials_become_one_header():
    key = ElasticsearchTarget(api_key=Secret.model_validate({"value": "k"}))
    assert authorization(key) == "ApiKey k"
    for kind in (ElasticsearchTarget, OpenSearchTarget):
        login = kind(username="u", password=Secret.model_validate({"value": "p:ä"}))
        name, _, text = (authorization(login) or "").partition(" ")
        assert name == "Basic" and base64.b64decode(text).decode() == "u:p:ä"
        assert authorization(kind()) is None


async def test_a_data_stream_is_made_once_before_the_first_document(double, siem):
    double.others[f"PUT {STREAM}"] = (200, {"acknowledged": True})
    assert [o.ending for o in await siem.deliver(one())] == ["delivered"]
    assert [o.ending for o in await siem.deliver(one())] == ["already_there"]
    paths = [asked.partition("?")[0] for asked in double.asked]
    assert paths == ["GET /", f"GET {STREAM}", f"PUT {STREAM}", "POST /_bulk", "POST /_bulk"]
    assert not any("require_data_stream" in asked for asked in double.asked)


async def test_a_stream_that_is_there_is_not_made(double, siem):
    double.others[f"GET {STREAM}"] = (200, {"data_streams": [{}]})
    await siem.deliver(one())
    assert not any(asked.startswith("PUT") for asked in double.asked)


async def test_two_workers_may_make_it_at_the_same_time(double, siem):
    double.others[f"PUT {STREAM}"] = (400, {"error": {"type": "resource_already_exists_exception"}})
    assert [o.ending for o in await siem.deliver(one())] == ["delivered"]


@pytest.mark.parametrize(
    ("status", "kind", "index", "said"),
    [
        (400, "illegal_argument_exception", 404, "run davylamp siem bootstrap"),
        (400, "illegal_argument_exception", 200, "is an ordinary index"),
        (403, "security_exception", 404, "data streams may not be seen or made"),
    ],
)
async def test_nothing_is_written_where_no_data_stream_can_be(double, siem, status, kind, index, said):
    double.others[f"PUT {STREAM}"] = (status, {"error": {"type": kind}})
    double.others["HEAD /logs-davylamp.events-default"] = (index, {})
    with pytest.raises(RefusedError, match=said):
        await siem.deliver(one())
    assert double.requests == []


async def test_after_a_trouble_the_stream_is_looked_for_again(double, siem):
    double.others[f"GET {STREAM}"] = (200, {})
    double.faults = [lambda _: (0, {})]
    with pytest.raises(TargetAwayError):
        await siem.deliver(one())
    assert [o.ending for o in await siem.deliver(one())] == ["delivered"]
    assert [asked.split("?")[0] for asked in double.asked].count(f"GET {STREAM}") == 2
