"""Who did what, from where, and whether it was let happen, read from a real API server's audit events."""

from __future__ import annotations

import pytest
from parts.kubernetes import KubernetesPart
from parts.kubernetes_played import CHOSEN, KUBERNETES, RESPONDED, Played, played_in

from detectors.reused_id import ReusedIds

SPACE = "audited-callers"


@pytest.fixture(scope="module")
def played(kubernetes: KubernetesPart) -> Played:
    """The play, once for all tests here."""
    return played_in(kubernetes, SPACE)


@pytest.mark.claim("a refused call with a pod's token names service account, pod and failure")
def test_a_refused_call_names_who_was_refused(played: Played) -> None:
    event = played.one("by=stolen")
    assert KUBERNETES.outcome(event) == "failure"
    assert ("service_account", f"{SPACE}/web", "actor") in KUBERNETES.entities(event)
    assert ("pod", f"{SPACE}/web-1", "actor") in KUBERNETES.entities(event)
    assert ("address", "127.0.0.1", "source") in KUBERNETES.entities(event)
    assert event.fields["responseStatus"]["code"] == 403  # type: ignore[index, call-overload]


@pytest.mark.claim(
    "exec is audited twice with code 101, as create by SPDY and as get by websocket",
    double="kubelet: answers the upgrade, runs nothing",
)
@pytest.mark.parametrize(("client", "verb"), [("spdy", "create"), ("websocket", "get")])
def test_exec_names_the_pod_at_both_stages(played: Played, client: str, verb: str) -> None:
    for stage in ("ResponseStarted", RESPONDED):
        event = played.one(f"command={client}", stage)
        assert event.fields["verb"] == verb
        assert KUBERNETES.entities(event)[0] == ("pod", f"{SPACE}/web-1", "target")
        assert KUBERNETES.outcome(event) == "success"
        assert "(code 101)" in KUBERNETES.summary(event)
    asked = played.one(f"command={client}", "RequestReceived")
    assert KUBERNETES.outcome(asked) == "unknown"


@pytest.mark.claim(
    "X-Forwarded-For and X-Real-Ip do not move the caller's address: the last entry is the peer"
)
def test_a_forged_header_is_not_the_caller(played: Played) -> None:
    event = played.one("by=alice")
    assert event.fields["sourceIPs"][0] == "198.51.100.9"  # type: ignore[index]
    assert [e.id for e in KUBERNETES.entities(event) if e.type == "address"] == ["127.0.0.1"]
    found = KUBERNETES.ecs(event)
    assert found["source"]["ip"] == "127.0.0.1"
    assert "198.51.100.9" in found["related"]["ip"]


@pytest.mark.claim("two requests under one audit id of the caller's choice stay two events")
def test_a_chosen_audit_id_hides_nothing(played: Played) -> None:
    first, second = played.one("chosen=first"), played.one("chosen=second")
    assert first.fields["auditID"] == second.fields["auditID"] == CHOSEN
    assert first.event_id != second.event_id


@pytest.mark.claim("an audit id that was used twice is a finding, and of all real events only that one is")
def test_a_chosen_audit_id_is_told(played: Played) -> None:
    known = ReusedIds()
    told = [finding for event in played.events if (finding := known.finding(event))]
    both = {played.one("chosen=second", stage).event_id for stage in ("RequestReceived", RESPONDED)}
    assert {finding.event_id for finding in told} == both


@pytest.mark.claim("a bad token is read as a failure without a name, no token as system:anonymous")
def test_callers_without_a_name_are_read(played: Played) -> None:
    refused = played.one("by=nobody", "ResponseStarted")
    assert refused.fields["user"] == {}
    assert KUBERNETES.outcome(refused) == "failure"
    stranger = played.one("by=stranger")
    assert KUBERNETES.entities(stranger)[0] == ("k8s_user", "system:anonymous", "actor")
    assert KUBERNETES.outcome(stranger) == "success"


@pytest.mark.claim("an impersonated call names both who called and who was acted as")
def test_impersonation_names_both(played: Played) -> None:
    event = played.one("by=admin-as-bob")
    assert [e.id for e in KUBERNETES.entities(event) if e.role == "actor"] == ["admin", "bob"]
    assert KUBERNETES.ecs(event)["user"]["effective"]["name"] == "bob"


@pytest.mark.claim(
    "a pod's address and account are learned from its node's status patch and from bound tokens"
)
def test_aliases_come_from_the_node_and_from_bound_tokens(played: Played) -> None:
    status = KUBERNETES.aliases_in(played.one("/web-1/status"))
    me = ("pod", f"{SPACE}/web-1")
    assert {alias.b for alias in status if alias.a == me} == {
        ("address", "10.20.30.40"),
        ("service_account", f"{SPACE}/web"),
    }
    by_token = KUBERNETES.aliases_in(played.one("by=stolen"))
    assert [(a.a, a.b) for a in by_token] == [(("service_account", f"{SPACE}/web"), me)]
