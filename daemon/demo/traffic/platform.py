"""TerraMiner as it stands: nodes, workloads with their pods and addresses, people, machines.

People, companies and addresses are invented; addresses are of the documentation and private ranges
(RFC 5737, RFC 1918).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Final, NamedTuple

from daemon.demo.traffic.record import hexes, new_uuid, seeded

ACCOUNT: Final = "482913570264"
REGION: Final = "eu-west-1"
CLUSTER: Final = "terraminer-prod"
OFFICE: Final = "198.51.100"
_REGISTRY: Final = "registry.terraminer.example/prod"
_CONSONANTS: Final = "bcdfghjklmnpqrstvwxz2456789"


@dataclass(frozen=True, slots=True)
class Node:
    """A machine of the cluster."""

    name: str
    address: str


@dataclass(frozen=True, slots=True)
class Pod:
    """A running pod, with the address that its kubelet announces."""

    name: str
    namespace: str
    uid: str
    address: str
    node: Node


@dataclass(frozen=True, slots=True)
class Workload:
    """A deployment: its pods, its port, the hosts that it calls and the credentials that it reads.

    `calls` are ``name.namespace`` of other workloads, `outside` registered outside hosts, `strays`
    unregistered ones, `credentials` static roles of the vault's database engine.
    """

    name: str
    namespace: str
    service_account: str
    service_account_uid: str
    image: str
    port: int
    pods: tuple[Pod, ...]
    calls: tuple[str, ...]
    outside: tuple[str, ...]
    strays: tuple[str, ...]
    credentials: tuple[str, ...]

    @property
    def host(self) -> str:
        """The cluster name of its service."""
        return f"{self.name}.{self.namespace}.svc.cluster.local"

    @property
    def key(self) -> str:
        """Name and namespace."""
        return f"{self.name}.{self.namespace}"


@dataclass(frozen=True, slots=True)
class Person:
    """Someone who works at the company, at the office or at home."""

    user: str
    address: str
    group: str

    @property
    def mail(self) -> str:
        """The user name in the cluster."""
        return f"{self.user}@terraminer.example"


@dataclass(frozen=True, slots=True)
class Platform:
    """Everything that acts."""

    nodes: tuple[Node, ...]
    workloads: tuple[Workload, ...]
    people: tuple[Person, ...]

    def workload(self, key: str) -> Workload:
        """Return the workload ``name.namespace``. Raises KeyError."""
        for workload in self.workloads:
            if workload.key == key:
                return workload
        raise KeyError(key)

    @property
    def readers(self) -> tuple[Workload, ...]:
        """The workloads that read credentials from the vault."""
        return tuple(w for w in self.workloads if w.credentials)


class _Plan(NamedTuple):
    """A line of the platform's plan; lists are words."""

    name: str
    namespace: str
    pods: int
    port: int
    calls: str = ""
    outside: str = ""
    strays: str = ""
    reads: str = ""


_DATABASE: Final = "postgresql-analytics.terraminer-data"
_BUCKETS: Final = "s3.eu-west-1.amazonaws.com"
_SCRAPED: Final = "api-gateway.terraminer property-api.terraminer search.terraminer analytics-api.analytics"
_PLAN: Final = (
    _Plan("istio-ingressgateway", "istio-system", 2, 8443, "web-portal.frontend api-gateway.terraminer"),
    _Plan("istiod", "istio-system", 1, 15012),
    _Plan("web-portal", "frontend", 3, 3000, "api-gateway.terraminer", "maps.tiles.example"),
    _Plan(
        "api-gateway",
        "terraminer",
        3,
        8080,
        "property-api.terraminer search.terraminer analytics-api.analytics",
    ),
    _Plan(
        "property-api", "terraminer", 3, 8080, _DATABASE, strays="intake.apm.example", reads="property-api"
    ),
    _Plan("search", "terraminer", 2, 8080, "property-api.terraminer"),
    _Plan("spark-worker", "terraminer", 4, 7078, "kafka.terraminer-data", _BUCKETS, reads="ingest"),
    _Plan("kafka", "terraminer-data", 3, 9092),
    _Plan("postgresql-analytics", "terraminer-data", 1, 5432),
    _Plan(
        "etl-worker",
        "terraminer-data",
        2,
        8080,
        f"kafka.terraminer-data {_DATABASE}",
        _BUCKETS,
        reads="ingest parcels",
    ),
    _Plan(
        "notebook",
        "data-science",
        2,
        8888,
        "api-gateway.terraminer analytics-api.analytics",
        strays="pypi.mirror.example",
        reads="features",
    ),
    _Plan("analytics-api", "analytics", 2, 8080, _DATABASE, reads="analytics"),
    _Plan(
        "report-job",
        "reporting",
        1,
        8080,
        "analytics-api.analytics",
        "smtp.mail.example",
        reads="analytics customer-records",
    ),
    _Plan("source-controller", "flux-system", 1, 9090, outside="github.com"),
    _Plan("kustomize-controller", "flux-system", 1, 9090, "source-controller.flux-system"),
    _Plan("keda-operator", "keda", 1, 9666),
    _Plan("prometheus", "monitoring", 1, 9090, f"{_SCRAPED} etl-worker.terraminer-data"),
    _Plan("ci-deployer", "ci", 1, 8080, outside="github.com"),
)
_PEOPLE: Final = (
    ("amara.okafor", f"{OFFICE}.21", "platform"),
    ("jonas.weber", f"{OFFICE}.34", "platform"),
    ("mei.tanaka", f"{OFFICE}.47", "data-science"),
    ("lucia.romero", f"{OFFICE}.52", "analytics"),
    ("piotr.zielinski", "192.0.2.140", "developers"),
    ("sarah.lindqvist", "192.0.2.163", "developers"),
)


def build(seed: int) -> Platform:
    """Return the platform of a seed: same seed, same pod names and addresses."""
    rng = seeded("platform", seed)
    nodes = tuple(
        Node(f"ip-10-20-{zone}-{host}.{REGION}.compute.internal", f"10.20.{zone}.{host}")
        for zone, host in ((1, 11), (1, 12), (2, 21), (2, 22))
    )
    used: set[str] = set()
    workloads = [
        Workload(
            name=plan.name,
            namespace=plan.namespace,
            service_account=plan.name,
            service_account_uid=new_uuid(rng),
            image=f"{_REGISTRY}/{plan.name}:{rng.randint(1, 4)}.{rng.randint(0, 30)}.{rng.randint(0, 9)}",
            port=plan.port,
            pods=_pods(rng, plan.name, plan.namespace, plan.pods, nodes, used),
            calls=tuple(plan.calls.split()),
            outside=tuple(plan.outside.split()),
            strays=tuple(plan.strays.split()),
            credentials=tuple(plan.reads.split()),
        )
        for plan in _PLAN
    ]
    return Platform(nodes, tuple(workloads), tuple(Person(*person) for person in _PEOPLE))


def pod_name(rng: Random, workload: str) -> str:
    """Return a pod name as a replica set makes it."""
    return f"{workload}-{hexes(rng, 10)}-{''.join(rng.choices(_CONSONANTS, k=5))}"


def _pods(
    rng: Random, name: str, namespace: str, replicas: int, nodes: Sequence[Node], used: set[str]
) -> tuple[Pod, ...]:
    pods: list[Pod] = []
    for _ in range(replicas):
        index = rng.randrange(len(nodes))
        address = f"10.244.{index + 1}.{rng.randint(10, 250)}"
        while address in used:
            address = f"10.244.{index + 1}.{rng.randint(10, 250)}"
        used.add(address)
        pods.append(Pod(pod_name(rng, name), namespace, new_uuid(rng), address, nodes[index]))
    return tuple(pods)
