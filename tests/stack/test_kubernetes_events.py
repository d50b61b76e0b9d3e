"""Everything that a real API server audits is read, whole, without a secret."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from parts.kubernetes import KubernetesPart
from parts.kubernetes_audit_trail import stage_of
from parts.kubernetes_played import KUBERNETES, VALUE, VALUE_ENCODED, Played, played_in

from connectors.ecs.conformance import FieldSet, problems
from connectors.ecs.event import event_document
from connectors.sources.files import read_events
from detectors.event import Event

SPACE = "audited-events"
ECS_FIELDS = Path(__file__).parents[1] / "connectors/ecs/data/ecs_fields.json"


@pytest.fixture(scope="module")
def played(kubernetes: KubernetesPart) -> Played:
    """The play, once for all tests here."""
    return played_in(kubernetes, SPACE)


@pytest.mark.claim("every event of the API server's audit webhook is read; none becomes a dead letter")
def test_every_batch_is_read_whole(played: Played) -> None:
    assert [reject for batch in played.unpacked for reject in batch.rejects] == []
    assert {batch.ending for batch in played.unpacked} == {"unpacked"}
    assert [stage_of(dict(event.fields)) for event in played.events] == [
        stage_of(event) for event in played.trail.seen.events()
    ]
    assert len({event.event_id for event in played.events}) == len(played.events)


@pytest.mark.claim("webhook and audit file bring the same events with the same ids")
def test_webhook_and_file_agree(played: Played, tmp_path: Path) -> None:
    lines = tmp_path / "audit.jsonl"
    lines.write_bytes(b"".join(orjson.dumps(event) + b"\n" for event in played.trail.filed()))
    filed = [event for event in read_events(lines, KUBERNETES) if isinstance(event, Event)]
    posted = {event.event_id for event in played.events}
    assert filed and {event.event_id for event in filed} <= posted


@pytest.mark.claim(
    "the API server's own start (about 1,000 events) is read from its audit file without a reject"
)
def test_the_servers_own_start_is_read(kubernetes: KubernetesPart, played: Played) -> None:
    found = list(read_events(kubernetes.audit_log, KUBERNETES))
    assert len(found) > 500
    assert [item for item in found if not isinstance(item, Event)] == []


@pytest.mark.claim("an event over the API server's limit comes without bodies, says so, and is still read")
def test_a_truncated_event_is_read(played: Played) -> None:
    event = played.one("huge=1")
    assert event.fields["annotations"]["audit.k8s.io/truncated"] == "true"  # type: ignore[index, call-overload]
    assert "requestObject" not in event.fields
    assert KUBERNETES.entities(event)[0] == ("pod", f"{SPACE}/web-1", "target")


@pytest.mark.claim("a JSON patch, whose body is a list, is read")
def test_a_list_of_changes_is_read(played: Played) -> None:
    event = played.one("fieldManager=added")
    assert isinstance(event.fields["requestObject"], list)
    assert KUBERNETES.outcome(event) == "success"
    assert KUBERNETES.ecs(event)["orchestrator"]["resource"]["name"] == SPACE


@pytest.mark.claim(
    "an apply in YAML, which the API server audits as received only (kubernetes#139419), is read"
)
def test_an_apply_in_yaml_leaves_its_reception(played: Played) -> None:
    event = played.one("fieldManager=written", "RequestReceived")
    assert KUBERNETES.outcome(event) == "unknown"
    stages = [e["stage"] for e in played.trail.filed() if "fieldManager=written" in e["requestURI"]]
    assert stages == ["RequestReceived"]


@pytest.mark.claim("no secret's value and no token is in any audit event or document")
def test_no_secret_appears(played: Played) -> None:
    documents = b"".join(event_document(event, "default", 0.0).payload for event in played.events)
    for text in (VALUE, VALUE_ENCODED, *played.tokens):
        assert text.encode() not in b"".join(played.trail.seen.batches)
        assert text.encode() not in documents


@pytest.mark.claim("the ECS document of every real audit event conforms to ECS")
def test_documents_conform(played: Played) -> None:
    fields = FieldSet.load(ECS_FIELDS)
    wrong = [
        text
        for event in played.events
        for text in problems(event_document(event, "default", 0.0).body, fields)
    ]
    assert wrong == []


@pytest.mark.claim("the server says the version that is tested on")
def test_the_version_is_the_one_that_is_named(kubernetes: KubernetesPart) -> None:
    told = kubernetes.call("GET", "/version").json()["gitVersion"]
    modules = (Path(__file__).parent / "kubernetes/go.mod").read_text(encoding="utf-8")
    assert told == f"v{kubernetes.version.split()[0]}" and f"k8s.io/kubernetes {told}" in modules
    etcd = kubernetes.version.removesuffix(")").rpartition(" ")[2]
    assert f"go.etcd.io/etcd/server/v3 v{etcd}" in modules
