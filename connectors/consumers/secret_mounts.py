"""The pods that have a Secret, by workload: with the old value, or with the new one.

A pod that reads the Secret by its environment has what stood there when it started; a volume is refreshed
by the kubelet (Kubernetes, "Secrets").
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import cast

from connectors.kubernetes.client import KubernetesClient
from connectors.kubernetes.kinds import POD, SECRET
from connectors.kubernetes.secret_users import secret_users
from connectors.rotation.kv_consumers import SyncedSecret, decoded
from connectors.vault.secret_text import SecretText
from detectors.event import Fields
from playbooks.consumers import Sighting, shown


def mounts_seen(
    client: KubernetesClient, synced: SyncedSecret, new: SecretText | None, since: float, now: float
) -> list[Sighting]:
    """Return who has the Secret: its workloads, and the Secret itself. Raises KubernetesError.

    `new` is the value that its key must have, None before there is one; `since` is when it was given out.
    """
    place = f"Secret {synced.namespace}/{synced.name}"
    found = client.get(SECRET, synced.namespace, synced.name)
    synced_up = new is not None and _holds(found, synced.key, new)
    seen = [Sighting("mount", "new" if synced_up else "old", now, shown(place))]
    pods = client.listed(POD, synced.namespace)
    owners = {str(_part(pod, "metadata").get("name")): _workload(pod) for pod in pods}
    for user in secret_users(pods, synced.name):
        late = not synced_up or (user.by_environment and user.started_at <= since)
        workload = f"{synced.namespace}/{owners[user.pod]}"
        seen.append(
            Sighting(
                how="mount",
                side="old" if late else "new",
                at=now,
                name=shown(f"workload {workload}"),
                place=shown(f"pod {user.pod}"),
                workload=workload,
            )
        )
    return seen


def _holds(found: Fields, key: str, value: SecretText) -> bool:
    held = decoded(_part(found, "data").get(key))
    return held is not None and hmac.compare_digest(held, value.reveal().encode())


def _workload(pod: Fields) -> str:
    """Return what controls the pod: a replica set by its deployment's name, or the pod's own name."""
    metadata = _part(pod, "metadata")
    for owner in cast("list[Fields]", metadata.get("ownerReferences") or []):
        if owner.get("controller") is True:
            name = str(owner.get("name"))
            template = _part(metadata, "labels").get("pod-template-hash")
            replica_set = owner.get("kind") == "ReplicaSet" and bool(template)
            return name.removesuffix(f"-{template}") if replica_set else name
    return str(metadata.get("name"))


def _part(found: Mapping[str, object], key: str) -> Fields:
    return cast(Fields, found.get(key) or {})
