"""Converted rules on the real nodes: over documents of the same events, a query hits what the rule finds.

Lucene only: ES|QL is a part of x-pack, which the core from Maven Central has not.
"""

from __future__ import annotations

import httpx
import pytest
from parts.watched_siem import new_namespace, stored, watched

from connectors.ecs.event import event_document
from connectors.ecs.stream import Document, data_stream
from daemon.cli.rule_test import events_of
from daemon.conversion import Converter, Query
from daemon.rule_library import Library
from detectors.rules import builtin
from detectors.rules.cases import builtin_cases
from detectors.sigma.engine import Engine
from detectors.sigma.pipeline.pipelines import Pipelines
from detectors.sigma.ruleset import RuleSet

_PORT = "compares what may have a port with networks; only a field of type ip knows networks"
_OBJECT = "asks for an object as a whole; a document has only what is in it"
DIFFERENT: dict[str, str] = {
    "Call without a certificate of the mesh": "asks for a field that is null; a document has no null",
    "Connection to a bare address outside at an odd port": _PORT,
    "Connection to a bare address outside at the port of HTTPS": _PORT,
    "Connection outside at a port of shells, relays or mining pools": _PORT,
    "Megabytes sent to a host that the mesh does not know": _PORT,
    "Call around the services to an inside address that failed": _PORT,
    "Vault login role or user written by a derived token": _OBJECT,
    "Vault policy written by a derived token": _OBJECT,
}
"""Rules whose query hits other documents than the rule finds, by title, and why."""
FLATTENED = {
    "API server of a cluster opened to the world",
    "AWS found an exposed access key",
    "Bucket or object opened to everybody by its access list",
    "Quarantine of an exposed access key taken off",
    "Role trusts every subject of an identity provider",
    "Rule of a security group widened to the world",
    "Secrets read in a batch by a filter",
}
"""Rules that look into flattened fields: which patterns those answer differs from server to server."""


@pytest.fixture(scope="module", params=["elasticsearch", "elasticsearch_8", "opensearch", "opensearch_2"])
def node(request):
    return request.getfixturevalue(request.param)


def events():
    """Every event of the shipped rules' tests, each with an id of its own."""
    for document in builtin():
        cases = builtin_cases(document)
        for number, records in enumerate((*cases.match, *cases.no_match)):
            for place, event in enumerate(events_of(records)):
                yield f"{document.path}-{number}-{place}", event


def found_by_rule(known):
    """The ids of the events that each stateless rule finds, by rule id."""
    engine = Engine(RuleSet.load(builtin()))
    found = {}
    for name, event in known:
        inspection = engine.inspect(event)
        for rule_id in {f.rule_id for f in inspection.findings} | {m.rule for m in inspection.matches}:
            found.setdefault(rule_id, set()).add(name)
    return found


def hits(node, namespace, query):
    name = data_stream("events", namespace)
    body = {"size": 1000, "_source": False, "query": {"query_string": {"query": query}}}
    answer = httpx.post(f"{node.url}/{name}/_search", json=body, timeout=30.0)
    assert answer.status_code == 200, (query, answer.text[:500])
    return {hit["_id"] for hit in answer.json()["hits"]["hits"]}


@pytest.mark.claim(
    "the Lucene query of a shipped rule hits the documents of what the rule finds; what differs is named"
)
async def test_a_converted_rule_hits_what_the_rule_finds(node):
    namespace = new_namespace()
    known = list(events())
    batch = [
        Document.of("events", name, event_document(event, namespace, 1_790_000_000.0).body, namespace, 0.0)
        for name, event in known
    ]
    async with watched(node, namespace) as (siem, _):
        outcomes = await siem.deliver(batch)
    assert {outcome.ending for outcome in outcomes} == {"delivered"}, [o for o in outcomes if o.reason]
    assert len(stored(node, "events", namespace)) == len(batch)
    wanted = found_by_rule(known)
    target = "opensearch" if node.name == "OpenSearch" else "lucene"
    library = Library.of(builtin())
    converter = Converter(library, target, "ecs", Pipelines(), Pipelines().for_backend())
    made = {rule_id: converter.convert(rule_id) for rule_id in library.found}
    queries = {rule_id: one for rule_id, one in made.items() if isinstance(one, Query)}
    assert len(queries) >= 100
    seen = {one.title: (hits(node, namespace, one.query), wanted.get(i, set())) for i, one in queries.items()}
    different = {title: (got - want, want - got) for title, (got, want) in seen.items() if got != want}
    assert set(DIFFERENT) <= set(different) <= set(DIFFERENT) | FLATTENED, different
    assert sum(bool(got & want) for got, want in seen.values()) >= 100
