"""What the mesh's own words mean: clusters and routes, denials, flags, internal listeners, odd addresses."""

from __future__ import annotations

import pytest

from connectors.sources.catalogue import profile
from connectors.sources.istio_denial import denying_policy
from connectors.sources.istio_mesh import direction, hostname
from detectors.event import Contact, Entity, Locator

ISTIO = profile("istio_access")
PLACE = Locator("t", 0, 1, 0)
CALL = {
    "start_time": "2026-11-23T06:09:13.949Z",
    "method": "GET",
    "path": "/",
    "protocol": "HTTP/1.1",
    "response_code": 200,
    "response_code_details": "via_upstream",
    "response_flags": "-",
    "bytes_received": 7,
    "upstream_cluster": "outbound|80||shop.n.svc.cluster.local",
    "upstream_host": "10.0.0.9:8080",
    "upstream_local_address": "10.0.0.2:41000",
    "downstream_remote_address": "10.0.0.2:40000",
    "authority": "shop.n:80",
    "request_id": "0b9e",
}
CONNECTION = {
    **CALL,
    "method": "-",
    "path": "-",
    "protocol": "-",
    "response_code": 0,
    "response_code_details": "-",
}


def of(record=None, **changes):
    return ISTIO.parse({**(record or CALL), **changes}, PLACE)


@pytest.mark.parametrize(
    ("fields", "side"),
    [
        ({"upstream_cluster": "outbound|80|v1|a.b"}, "outbound"),
        ({"upstream_cluster": "inbound|80||"}, "inbound"),
        ({"upstream_cluster": "inbound-vip|80|http|a.b.svc.cluster.local"}, "inbound"),
        ({"upstream_cluster": "InboundPassthroughClusterIpv4"}, "inbound"),
        ({"upstream_cluster": "InboundPassthroughCluster"}, "inbound"),
        ({"upstream_cluster": "PassthroughCluster"}, "outbound"),
        ({"upstream_cluster": "AllowAnyDynamicDNSCluster"}, "outbound"),
        ({"upstream_cluster": "BlackHoleCluster"}, "outbound"),
        ({"route_name": "block_all"}, "outbound"),
        ({"route_name": "allow_any_dynamic_dns"}, "outbound"),
        ({"route_name": "default", "reporter": "destination"}, "inbound"),
        ({"upstream_cluster": "prometheus_stats"}, ""),
        ({"upstream_cluster": 7, "route_name": []}, ""),
    ],
)
def test_the_cluster_or_the_route_tells_the_side(fields, side):
    assert direction(fields) == side


@pytest.mark.parametrize(
    ("details", "policy"),
    [
        ("rbac_access_denied_matched_policy[ns[shop]-policy[deny-admin]-rule[0]]", "shop/deny-admin"),
        ("rbac_access_denied_matched_policy[istio-ext-authz-ns[shop]-policy[ask]-rule[12]]", "shop/ask"),
        ("rbac_access_denied_matched_policy[istio-ext-authz-opa-ns[shop]-policy[ask]-rule[1]]", "shop/ask"),
        ("rbac_access_denied_matched_policy[none]", None),
        ("rbac_access_denied_matched_policy[ns[" + "a" * 300 + "]-policy[b]-rule[0]]", None),
    ],
)
@pytest.mark.parametrize("key", ["response_code_details", "connection_termination_details"])
def test_a_denial_fails_and_names_its_policy(details, policy, key):
    event = of(CONNECTION if key.startswith("connection") else CALL, **{key: details, "response_code": 403})
    assert denying_policy(event.fields) == policy
    assert ISTIO.outcome(event) == "failure" and ISTIO.contacts(event) == ()
    assert ISTIO.summary(event).endswith(f"denied by policy {policy}" if policy else "was denied")


def test_an_external_authorizer_s_denial_is_one():
    event = of(response_code=403, response_flags="UAEX", response_code_details="ext_authz_denied")
    assert ISTIO.outcome(event) == "failure" and ISTIO.summary(event).endswith("was denied")


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({}, "success"),
        ({"response_code": 101, "response_flags": "DC"}, "success"),
        ({"response_code": 404}, "failure"),
        ({"response_code": 0, "response_flags": "DC", "response_code_details": None}, "unknown"),
        ({"response_flags": "UF,URX", "response_code": 503}, "failure"),
        ({"response_flags": "DF", "response_code": 503}, "failure"),
        ({"response_code": "-"}, "unknown"),
    ],
)
def test_outcome_of_a_call(changes, outcome):
    assert ISTIO.outcome(of(**changes)) == outcome


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [({}, "success"), ({"response_code": None}, "success"), ({"response_flags": "NR"}, "failure")],
)
def test_outcome_of_a_connection(changes, outcome):
    assert ISTIO.outcome(of(CONNECTION, **changes)) == outcome


@pytest.mark.parametrize(
    ("said", "host"),
    [
        ("envoy://connect_originate/10.244.0.10:80", "10.244.0.10"),
        ("envoy://connect_originate/[2001:db8::9]:80", "2001:db8::9"),
        ("envoy://internal_client_address/", None),
        ("[2001:DB8::7]:443", "2001:db8::7"),
        ("10.0.0.1:0", "10.0.0.1"),
        ("User:pw@Shop.Example.:8443", "shop.example"),
    ],
)
def test_addresses_in_all_their_forms(said, host):
    assert hostname(said) == host


def test_a_call_through_hbone_is_about_the_pod_behind_it():
    event = of(
        upstream_cluster="PassthroughCluster",
        upstream_host="envoy://connect_originate/10.244.0.10:80",
        authority="shop.n.svc.cluster.local",
        downstream_remote_address="envoy://internal_client_address/",
    )
    (contact,) = ISTIO.contacts(event)
    assert contact.peer == ("host", "10.244.0.10")
    assert not [found for found in ISTIO.entities(event) if found.id.startswith("envoy")]


@pytest.mark.parametrize("route", ["allow_any", "allow_any_dynamic_dns"])
def test_a_route_to_anywhere_without_a_cluster_is_outside(route):
    event = of(upstream_cluster=None, route_name=route, authority="evil.example")
    assert ISTIO.contacts(event) == (
        Contact("mesh_edge", ("address", "10.0.0.2"), ("host", "evil.example"), 7, True),
    )


def test_a_cluster_with_the_mark_of_its_statistics_name_is_the_same_host():
    plain, marked = of(), of(upstream_cluster="outbound|80||shop.n.svc.cluster.local;")
    assert ISTIO.contacts(plain) == ISTIO.contacts(marked) != ()


def test_a_certificate_with_several_names_is_the_first_that_istio_gave():
    event = of(
        upstream_cluster="inbound|80||",
        downstream_peer_uri_san="https://other/x, spiffe://td/ns/shop/sa/cart,spiffe://td/ns/x/sa/y",
    )
    assert ISTIO.entities(event)[0] == Entity("service_account", "shop/cart", "actor")


def test_the_identity_hash_is_over_what_the_contract_names():
    base = of().event_id
    assert base.startswith("0b9e/") and len(base) == 5 + 16
    for changes in (
        {"start_time": "2026-11-23T06:09:13.950Z"},
        {"upstream_cluster": "inbound|80||"},
        {"upstream_host": "10.0.0.8:8080"},
        {"downstream_remote_address": "10.0.0.2:40001"},
        {"request_id": "0b9f"},
    ):
        assert of(**changes).event_id != base
    assert of(user_agent="other", response_code=500, route_name="x").event_id == base
    assert of(request_id="-").event_id == str(PLACE)


def test_dashes_and_nulls_are_absent():
    event = of(CONNECTION, user_agent="-", requested_server_name=None)
    fields = event.fields
    assert fields["method"] is fields["path"] is fields["user_agent"] is fields["response_flags"] is None
    assert "a connection to shop.n.svc" in ISTIO.summary(event)
