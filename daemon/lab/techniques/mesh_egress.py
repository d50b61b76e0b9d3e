"""Istio: what a taken workload does to the outside."""

from __future__ import annotations

from typing import Final

from daemon.demo.traffic.record import new_uuid
from daemon.lab.sources.istio_access import egress
from daemon.lab.stage import Stage, Technique


def metadata_asked(stage: Stage) -> None:
    """Ask the cloud's metadata address for credentials."""
    source = stage.workload()
    for path in ("/latest/meta-data/iam/security-credentials/", "/latest/dynamic/instance-identity/document"):
        egress(
            stage,
            source,
            "169.254.169.254",
            80,
            method="GET",
            path=path,
            protocol="HTTP/1.1",
            authority="169.254.169.254",
            response_code=200,
            response_code_details="via_upstream",
            request_id=new_uuid(stage.rng),
            user_agent="curl/8.5.0",
            route_name="allow_any",
        )


def shell_to_outside(stage: Stage) -> None:
    """Hold an interactive connection to an outside port."""
    source = stage.workload()
    egress(stage, source, stage.foreign, stage.rng.choice((4444, 1337, 9001)), duration=840_000)


def bare_address(stage: Stage) -> None:
    """Speak TLS to an address without any name."""
    source = stage.workload()
    for _ in range(3):
        egress(stage, source, stage.foreign, 8443)


def uploaded(stage: Stage) -> None:
    """Upload a lot to a host that nobody knows."""
    source, host = stage.workload(), f"{stage.names.word()}.example"
    for _ in range(3):
        sent = stage.rng.randint(150_000_000, 400_000_000)
        egress(stage, source, stage.foreign, 443, host=host, bytes_received=sent, duration=90_000)


def refused_outside(stage: Stage) -> None:
    """Try hosts outside that the mesh does not let through."""
    source = stage.workload()
    pod = stage.pod(source)
    for _ in range(stage.rng.randint(8, 14)):
        egress(
            stage,
            source,
            stage.foreign,
            80,
            cluster="",
            caller=pod,
            method="GET",
            path="/",
            protocol="HTTP/1.1",
            authority=f"{stage.names.word()}.example",
            response_code=502,
            response_code_details="direct_response",
            request_id=new_uuid(stage.rng),
            user_agent="curl/8.5.0",
            route_name="block_all",
            upstream_cluster=None,
            upstream_host=None,
            upstream_local_address=None,
        )


def random_hosts(stage: Stage) -> None:
    """Ask host after host with names that a program makes up."""
    source = stage.workload()
    pod = stage.pod(source)
    for _ in range(stage.rng.randint(40, 60)):
        host = f"{stage.names.tail(16)}.example"
        egress(stage, source, stage.names.outside(), 443, host=host, caller=pod)


def names_over_https(stage: Stage) -> None:
    """Resolve names past the cluster's own DNS."""
    source = stage.workload()
    pod = stage.pod(source)
    for _ in range(stage.rng.randint(15, 25)):
        egress(stage, source, "1.1.1.1", 443, host="cloudflare-dns.com", caller=pod)


def program_interface(stage: Stage) -> None:
    """Talk to the cluster's API from an application that has no business there."""
    source = stage.workload()
    pod, api = stage.pod(source), stage.world.nodes[0].address
    for _ in range(4):
        egress(
            stage,
            source,
            api,
            6443,
            cluster="outbound|443||kubernetes.default.svc.cluster.local",
            caller=pod,
            downstream_local_address="10.96.0.1:443",
        )


TECHNIQUES: Final = (
    Technique("mesh-metadata-asked", "Metadata address asked", metadata_asked, ("T1552.005",)),
    Technique(
        "mesh-shell-to-outside", "Interactive connection to an outside port", shell_to_outside, ("T1571",)
    ),
    Technique("mesh-bare-address", "TLS to an address without a name", bare_address, ("T1573",), "medium"),
    Technique("mesh-uploaded", "Much uploaded to an unknown host", uploaded, ("T1567",)),
    Technique(
        "mesh-refused-outside", "Hosts outside tried and refused", refused_outside, ("T1071.001",), "low"
    ),
    Technique("mesh-random-hosts", "Hosts with made-up names", random_hosts, ("T1568.002",)),
    Technique(
        "mesh-names-over-https",
        "Names resolved over HTTPS outside",
        names_over_https,
        ("T1071.004",),
        "medium",
    ),
    Technique(
        "mesh-program-interface",
        "Cluster API called by an application",
        program_interface,
        ("T1613",),
        "medium",
    ),
)
