"""The TerraMiner breach: ten stages as real records, made at the moment they happen.

A stage that the vault or the database sees is done for real (`daemon/demo/thief.py`); the others are the
records that the cloud account, the cluster and the mesh write about such a deed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Final

from daemon.demo.traffic.cloudtrail import TRAIL, console_login, event, user
from daemon.demo.traffic.istio_access import line
from daemon.demo.traffic.kubernetes_event import Call, audit_event
from daemon.demo.traffic.platform import ACCOUNT, Person, Platform, Pod
from daemon.demo.traffic.record import (
    CLOUDTRAIL,
    ISTIO,
    KUBERNETES,
    Body,
    Record,
    hexes,
    merged,
    new_uuid,
    record,
)
from daemon.demo.vault_scene import ENTERED

NETWORK: Final = "203.0.113.66"
DROP_HOST: Final = "drop.files.example"
VICTIM: Final = "jonas.weber"
SERVICE_USER: Final = "svc-data-export"
_KUBECTL: Final = "kubectl/v1.34.2 (linux/amd64) kubernetes/8cc511e"


@dataclass(frozen=True, slots=True)
class Deed:
    """What a stage left: its record, if a log has it, and how the ids of its events begin."""

    marker: str
    record: Record | None = None


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage: what is done, where it shows, and how (None: the thief does it for real)."""

    number: int
    title: str
    shows: str
    deed: Callable[[Attack, float], Deed] | None = None


class Attack:
    """Makes the records of a breach into `platform`; ids come from `rng`."""

    def __init__(self, platform: Platform, rng: Random) -> None:
        self.platform = platform
        self.rng = rng
        self.key = f"AKIA{hexes(rng, 16).upper()}"

    @property
    def entered(self) -> Pod:
        """The pod that the thief enters."""
        return self.platform.workload(ENTERED).pods[0]

    @property
    def victim(self) -> Person:
        """The person whose password the thief has."""
        return next(person for person in self.platform.people if person.user == VICTIM)

    def console_login(self, at: float) -> Deed:
        """Sign in without a second factor, from a network never seen."""
        return self._cloud(at, console_login(self.rng, at, VICTIM, NETWORK, mfa=False))

    def access_key(self, at: float) -> Deed:
        """Make an access key for another user."""
        made = {"userName": SERVICE_USER, "accessKeyId": self.key, "status": "Active"}
        return self._change(
            at, "iam.amazonaws.com", "CreateAccessKey", {"userName": SERVICE_USER}, {"accessKey": made}
        )

    def stop_trail(self, at: float) -> Deed:
        """Stop the trail."""
        return self._change(at, "cloudtrail.amazonaws.com", "StopLogging", {"name": TRAIL}, None)

    def exec_into_pod(self, at: float) -> Deed:
        """Open a shell in a pod by websocket: verb `get`, code 101."""
        pod = self.entered
        call = Call("get", "pods", pod.namespace, pod.name, subresource="exec", code=101)
        body = self._cluster(at, call, stage="ResponseStarted")
        body["requestURI"] += "?command=%2Fbin%2Fsh&container=app&stdin=true&stdout=true&tty=true"
        return self._audited(at, body)

    def list_secrets(self, at: float) -> Deed:
        """List the secrets of the whole cluster."""
        body = self._cluster(at, Call("list", "secrets", None, None))
        body["requestURI"] += "?limit=500"
        return self._audited(at, body)

    def mint_token(self, at: float) -> Deed:
        """Mint a token for a service account."""
        call = Call(
            "create", "serviceaccounts", "flux-system", "kustomize-controller", subresource="token", code=201
        )
        return self._audited(at, self._cluster(at, call))

    def send_away(self, at: float) -> Deed:
        """Send what was taken to a host that the mesh does not know."""
        pod, workload = self.entered, self.platform.workload(ENTERED)
        request_id = new_uuid(self.rng)
        body = line(
            at,
            workload,
            pod,
            reporter="source",
            method="POST",
            path="/u/7f3a",
            protocol="HTTP/1.1",
            authority=DROP_HOST,
            request_id=request_id,
            user_agent="curl/8.14.1",
            response_code=200,
            response_code_details="via_upstream",
            route_name="allow_any",
            upstream_cluster="PassthroughCluster",
            upstream_host="203.0.113.190:80",
            upstream_local_address=f"{pod.address}:{self.rng.randint(32768, 60999)}",
            downstream_local_address="203.0.113.190:80",
            downstream_remote_address=f"{pod.address}:{self.rng.randint(32768, 60999)}",
            bytes_received=48_221_904,
            bytes_sent=91,
            duration=1240,
            upstream_service_time="1236",
        )
        return Deed(request_id, record(ISTIO, at, body))

    def open_mesh(self, at: float) -> Deed:
        """Turn mutual TLS from STRICT to PERMISSIVE."""
        call = Call("patch", "peerauthentications", "terraminer", "default", group="security.istio.io")
        spec: Body = {"spec": {"mtls": {"mode": "PERMISSIVE"}}}
        metadata: Body = {"name": "default", "namespace": "terraminer", "generation": 4}
        stored: Body = {
            "apiVersion": "security.istio.io/v1",
            "kind": "PeerAuthentication",
            "metadata": metadata,
        }
        body = self._cluster(at, call)
        return self._audited(
            at, merged(body, level="RequestResponse", requestObject=spec, responseObject={**stored, **spec})
        )

    def _change(self, at: float, service: str, name: str, asked: Body, answered: Body | None) -> Deed:
        identity = merged(
            user(VICTIM, f"ASIA{hexes(self.rng, 16).upper()}"),
            sessionContext={"attributes": {"mfaAuthenticated": "false"}},
        )
        return self._cloud(
            at,
            event(
                self.rng,
                at,
                identity,
                service,
                name,
                requestParameters=asked,
                responseElements=answered,
                sourceIPAddress=NETWORK,
                readOnly=False,
                sessionCredentialFromConsole="true",
            ),
        )

    def _cluster(self, at: float, call: Call, *, stage: str = "ResponseComplete") -> Body:
        identity: Body = {
            "username": self.victim.mail,
            "groups": [f"terraminer:{self.victim.group}", "system:authenticated"],
            "extra": {"arn": [f"arn:aws:iam::{ACCOUNT}:user/{VICTIM}"]},
        }
        return audit_event(self.rng, at, identity, call, NETWORK, _KUBECTL, stage=stage)

    def _cloud(self, at: float, body: Body) -> Deed:
        return Deed(str(body["eventID"]), record(CLOUDTRAIL, at, body))

    def _audited(self, at: float, body: Body) -> Deed:
        return Deed(str(body["auditID"]), record(KUBERNETES, at, body))


STAGES: Final = (
    Stage(1, "console login without MFA from a new network", "cloud", Attack.console_login),
    Stage(2, "access key made for another user", "cloud", Attack.access_key),
    Stage(3, "the trail is stopped", "cloud", Attack.stop_trail),
    Stage(4, "exec into a pod of terraminer-data", "cluster", Attack.exec_into_pod),
    Stage(5, "all secrets of the cluster listed", "cluster", Attack.list_secrets),
    Stage(6, "service account token minted", "cluster", Attack.mint_token),
    Stage(7, "database/static-creds/analytics read from the pod", "vault"),
    Stage(8, "PostgreSQL session opened with the stolen password", "database"),
    Stage(9, "data sent to an unregistered host", "mesh", Attack.send_away),
    Stage(10, "PeerAuthentication STRICT made PERMISSIVE", "cluster", Attack.open_mesh),
)
