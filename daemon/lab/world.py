"""The company of a seed: accounts, people, workloads, vault; another seed, another company."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Final

from daemon.demo.traffic.record import hexes, new_uuid, seeded
from daemon.lab.names import Names

_REGIONS: Final = ("eu-west-1", "eu-central-1", "us-east-2", "us-west-2", "ap-southeast-2", "ca-central-1")
_TEAMS: Final = ("platform", "sre", "data", "developers")


@dataclass(frozen=True, slots=True)
class Person:
    """Someone who works there, at `address`."""

    user: str
    mail: str
    team: str
    address: str
    access_key: str
    aws_id: str
    vault_entity: str


@dataclass(frozen=True, slots=True)
class Node:
    """A machine of the cluster."""

    name: str
    address: str


@dataclass(frozen=True, slots=True)
class Pod:
    """A running pod."""

    name: str
    uid: str
    address: str
    node: Node


@dataclass(frozen=True, slots=True)
class Workload:
    """A deployment with its service account, which the vault knows as `vault_entity`."""

    name: str
    namespace: str
    port: int
    account_uid: str
    vault_entity: str
    pods: tuple[Pod, ...]

    @property
    def host(self) -> str:
        """The cluster name of its service."""
        return f"{self.name}.{self.namespace}.svc.cluster.local"

    @property
    def spiffe(self) -> str:
        """Its identity in the mesh."""
        return f"spiffe://cluster.local/ns/{self.namespace}/sa/{self.name}"

    @property
    def account(self) -> str:
        """Its user name at the API server."""
        return f"system:serviceaccount:{self.namespace}:{self.name}"


@dataclass(frozen=True, slots=True)
class Vault:
    """Mounts and paths of the vault."""

    kv: str
    database: str
    transit: str
    crown_path: str
    decoy_path: str
    restricted_path: str
    admin_policy: str
    accessors: int


@dataclass(frozen=True, slots=True)
class World:
    """Everything that acts and everything that is acted upon."""

    company: str
    account: str
    region: str
    trail: str
    log_bucket: str
    data_bucket: str
    database: str
    cluster: str
    iac_role: str
    ci_role: str
    people: tuple[Person, ...]
    nodes: tuple[Node, ...]
    workloads: tuple[Workload, ...]
    store: Workload
    gateway: Workload
    ci: Workload
    backup: Workload
    rotation: Workload
    vault: Vault
    known_host: str

    @property
    def data_namespace(self) -> str:
        """The namespace that holds data of a class above internal."""
        return self.store.namespace

    def arn(self, service: str, rest: str, *, regional: bool = True) -> str:
        """Return the ARN of something of this account."""
        return f"arn:aws:{service}:{self.region if regional else ''}:{self.account}:{rest}"


def build(seed: int) -> World:
    """Return the company of `seed`: the same names each time."""
    rng = seeded("lab", "world", seed)
    names = Names(rng)
    company = names.word()
    network = rng.randint(16, 90)
    region = rng.choice(_REGIONS)
    nodes = tuple(_node(names, region, network, zone) for zone in (1, 1, 2, 3))
    plain = [names.thing() for _ in range(3)]

    def workload(name: str, namespace: str, port: int = 8080, pods: int = 2) -> Workload:
        return _workload(rng, names, name, namespace, port, pods, nodes, network)

    return World(
        company=company,
        account=names.digits(12),
        region=region,
        trail=f"{names.thing()}-trail",
        log_bucket=f"{company}-{names.thing()}-logs",
        data_bucket=f"{company}-{names.thing()}",
        database=names.thing(),
        cluster=f"{company}-{names.tail(4)}",
        iac_role=f"{names.workload()}-iac",
        ci_role=f"{names.workload()}-build",
        people=tuple(_person(rng, names, company, network, _TEAMS[i % 4]) for i in range(12)),
        nodes=nodes,
        workloads=tuple(workload(names.workload(), plain[i % 3]) for i in range(7)),
        store=workload(f"{names.thing()}-db", names.thing(), 5432, 1),
        gateway=workload("istio-ingressgateway", "istio-ingress", 8443, 1),
        ci=workload(names.workload(), names.thing()),
        backup=workload(names.workload(), names.thing()),
        rotation=workload(names.workload(), names.thing()),
        vault=Vault(
            kv=names.thing(),
            database=f"db-{names.word()}",
            transit=f"keys-{names.word()}",
            crown_path=f"{names.word()}/{names.thing()}",
            decoy_path=f"{names.word()}/{names.thing()}",
            restricted_path=f"{names.word()}/{names.thing()}",
            admin_policy=f"{names.word()}-admin",
            accessors=rng.getrandbits(32),
        ),
        known_host=f"{names.word()}.{names.word()}.example",
    )


def _person(rng: Random, names: Names, company: str, network: int, team: str) -> Person:
    user = names.person()
    return Person(
        user=user,
        mail=f"{user}@{company}.example",
        team=f"{company}:{team}",
        address=names.address(f"10.{network + 100}.{rng.randint(1, 9)}"),
        access_key=names.aws_id("AKIA"),
        aws_id=names.aws_id("AIDA"),
        vault_entity=new_uuid(rng),
    )


def _node(names: Names, region: str, network: int, zone: int) -> Node:
    address = names.address(f"10.{network}.{zone}")
    return Node(f"ip-{address.replace('.', '-')}.{region}.compute.internal", address)


def _workload(
    rng: Random,
    names: Names,
    name: str,
    namespace: str,
    port: int,
    pods: int,
    nodes: tuple[Node, ...],
    network: int,
) -> Workload:
    made: list[Pod] = []
    for _ in range(pods):
        index = rng.randrange(len(nodes))
        address = names.address(f"10.{network + 1}.{index + 1}")
        made.append(Pod(f"{name}-{hexes(rng, 10)}-{names.tail(5)}", new_uuid(rng), address, nodes[index]))
    return Workload(name, namespace, port, new_uuid(rng), new_uuid(rng), tuple(made))
