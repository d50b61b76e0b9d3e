"""Envoy's bootstrap: what Istio would give to a client's and to a server's sidecar, both in one process.

Each workload has its own outbound ports, whose route picks the endpoint that is dialled with that
workload's certificate; so the calls of all of them go over one cluster of one name, as on a real node.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

from parts.envoy_access import allowed, connections, deny, network
from parts.envoy_identity import MeshAuthority, Workload

from daemon.demo.parts.ports import LOOPBACK

Node: TypeAlias = dict[str, Any]
API: Final = "api.prod.svc.cluster.local"
DATABASE: Final = "db.prod.svc.cluster.local"
OUTSIDE: Final = "*.outside.example"
_API_CLUSTER: Final = f"outbound|8080||{API}"
_DATABASE_CLUSTER: Final = f"outbound|5432||{DATABASE}"
_EXTENSION: Final = "type.googleapis.com/envoy.extensions"


@dataclass(frozen=True, slots=True)
class Ports:
    """Where everything listens. `http` and `tcp` are the workloads' outbound ports, in their order."""

    http: Sequence[int]
    tcp: Sequence[int]
    black_hole: int
    inbound_http: int
    inbound_tcp: int
    service_http: int
    service_tcp: int


@dataclass(frozen=True, slots=True)
class Mesh:
    """Who is in the mesh: `server` is the identity of both services, `workloads` are the callers."""

    authority: MeshAuthority
    server: Workload
    workloads: Sequence[Workload]
    ports: Ports
    logs: Mapping[str, list[Node]]

    def bootstrap(self) -> Node:
        """Return the whole configuration; `logs` holds the access loggers of `client` and `server`."""
        listeners = [self._inbound_http(), self._inbound_tcp(), self._black_hole()]
        for workload, http, tcp in zip(self.workloads, self.ports.http, self.ports.tcp, strict=True):
            listeners += [self._outbound_http(workload, http), self._outbound_tcp(workload, tcp)]
        return {"static_resources": {"listeners": listeners, "clusters": self._clusters()}}

    def _outbound_http(self, workload: Workload, port: int) -> Node:
        to_api = {"cluster": _API_CLUSTER, **_as(workload)}
        hosts = [
            _host(f"{API}:8080", [API, f"{API}:8080"], _route("default", {"route": to_api})),
            _host("allow_any", [OUTSIDE], _route("allow_any", {"route": {"cluster": "PassthroughCluster"}})),
            _host("block_all", ["*"], _route("block_all", {"direct_response": {"status": 502}})),
        ]
        manager = _http_manager("outbound", hosts, [], self.logs["client"])
        return _listener(f"outbound_http_{workload.slug}", port, [{"filters": [manager]}])

    def _outbound_tcp(self, workload: Workload, port: int) -> Node:
        proxy = _tcp_proxy(_DATABASE_CLUSTER, self.logs["client"], _as(workload))
        return _listener(f"outbound_tcp_{workload.slug}", port, [{"filters": [proxy]}])

    def _black_hole(self) -> Node:
        proxy = _tcp_proxy("BlackHoleCluster", self.logs["client"], {})
        return _listener("outbound_black_hole", self.ports.black_hole, [{"filters": [proxy]}])

    def _inbound_http(self) -> Node:
        """Take mutual TLS and plain text, as PERMISSIVE does: what may call is the policies' business."""
        hosts = [
            _host("inbound|http|8080", ["*"], _route("default", {"route": {"cluster": "inbound|8080||"}}))
        ]
        manager = _http_manager("inbound", hosts, [deny(), allowed()], self.logs["server"])
        return self._inbound("inbound_http", self.ports.inbound_http, [manager])

    def _inbound_tcp(self) -> Node:
        proxy = _tcp_proxy("inbound|5432||", self.logs["server"], {})
        return self._inbound("inbound_tcp", self.ports.inbound_tcp, [network(connections()), proxy])

    def _inbound(self, name: str, port: int, filters: list[Node]) -> Node:
        secured = {"require_client_certificate": True, "common_tls_context": self._certificate(self.server)}
        chains: list[Node] = [
            {
                "filter_chain_match": {"transport_protocol": "tls"},
                "transport_socket": _tls("DownstreamTlsContext", secured),
                "filters": filters,
            },
            {"filter_chain_match": {"transport_protocol": "raw_buffer"}, "filters": filters},
        ]
        inspector = _typed(
            "envoy.filters.listener.tls_inspector", "filters.listener.tls_inspector.v3.TlsInspector"
        )
        return {**_listener(name, port, chains), "listener_filters": [inspector]}

    def _clusters(self) -> list[Node]:
        ports = self.ports
        return [
            self._outbound(_API_CLUSTER, ports.inbound_http, f"outbound_.8080_._.{API}"),
            self._outbound(_DATABASE_CLUSTER, ports.inbound_tcp, f"outbound_.5432_._.{DATABASE}"),
            _cluster("inbound|8080||", [_endpoint(ports.service_http)]),
            _cluster("inbound|5432||", [_endpoint(ports.service_tcp)]),
            _cluster("PassthroughCluster", [_endpoint(ports.service_http)]),
            _cluster("BlackHoleCluster", []),
        ]

    def _outbound(self, name: str, port: int, sni: str) -> Node:
        """Dial with the certificate of the workload that the route asks for."""
        cluster = _cluster(name, [{**_endpoint(port), "metadata": _chosen(w)} for w in self.workloads])
        sockets = [
            {
                "name": workload.slug,
                "match": {"identity": workload.slug},
                "transport_socket": _tls(
                    "UpstreamTlsContext",
                    {"sni": sni, "common_tls_context": self._certificate(workload, self.server)},
                ),
            }
            for workload in self.workloads
        ]
        subsets = {"fallback_policy": "NO_FALLBACK", "subset_selectors": [{"keys": ["identity"]}]}
        return {**cluster, "transport_socket_matches": sockets, "lb_subset_config": subsets}

    def _certificate(self, workload: Workload, peer: Workload | None = None) -> Node:
        trusted = {} if peer is None else {"match_typed_subject_alt_names": [_named(peer)]}
        key, chain = self.authority.key(workload), self.authority.certificate(workload)
        return {
            "tls_params": {
                "tls_minimum_protocol_version": "TLSv1_2",
                "tls_maximum_protocol_version": "TLSv1_3",
            },
            "tls_certificates": [{"certificate_chain": _file(chain), "private_key": _file(key)}],
            "validation_context": {"trusted_ca": _file(self.authority.ca), **trusted},
        }


def _typed(name: str, kind: str, fields: Mapping[str, Any] | None = None) -> Node:
    return {"name": name, "typed_config": {"@type": f"{_EXTENSION}.{kind}", **(fields or {})}}


def _tls(kind: str, fields: Mapping[str, Any]) -> Node:
    return _typed("envoy.transport_sockets.tls", f"transport_sockets.tls.v3.{kind}", fields)


def _as(workload: Workload) -> Node:
    return {"metadata_match": {"filter_metadata": {"envoy.lb": {"identity": workload.slug}}}}


def _chosen(workload: Workload) -> Node:
    keys = ("envoy.lb", "envoy.transport_socket_match")
    return {"filter_metadata": {key: {"identity": workload.slug} for key in keys}}


def _named(peer: Workload) -> Node:
    return {"san_type": "URI", "matcher": {"exact": peer.spiffe}}


def _file(path: Path) -> Node:
    return {"filename": str(path)}


def _address(port: int) -> Node:
    return {"socket_address": {"address": LOOPBACK, "port_value": port}}


def _endpoint(port: int) -> Node:
    return {"endpoint": {"address": _address(port)}}


def _cluster(name: str, endpoints: list[Node]) -> Node:
    load = {"cluster_name": name, "endpoints": [{"lb_endpoints": endpoints}] if endpoints else []}
    return {"name": name, "type": "STATIC", "connect_timeout": "2s", "load_assignment": load}


def _listener(name: str, port: int, chains: list[Node]) -> Node:
    return {"name": name, "address": _address(port), "filter_chains": chains}


def _host(name: str, domains: list[str], route: Node) -> Node:
    return {"name": name, "domains": domains, "routes": [route]}


def _route(name: str, action: Node) -> Node:
    return {"name": name, "match": {"prefix": "/"}, **action}


def _http_manager(name: str, hosts: list[Node], filters: list[Node], logs: list[Node]) -> Node:
    router = _typed("envoy.filters.http.router", "filters.http.router.v3.Router")
    fields = {
        "stat_prefix": name,
        "access_log": logs,
        "normalize_path": True,
        "route_config": {"name": name, "virtual_hosts": hosts},
        "http_filters": [*filters, router],
    }
    kind = "filters.network.http_connection_manager.v3.HttpConnectionManager"
    return _typed("envoy.filters.network.http_connection_manager", kind, fields)


def _tcp_proxy(cluster: str, logs: list[Node], match: Node) -> Node:
    fields = {"stat_prefix": "tcp", "cluster": cluster, "access_log": logs, **match}
    return _typed("envoy.filters.network.tcp_proxy", "filters.network.tcp_proxy.v3.TcpProxy", fields)
