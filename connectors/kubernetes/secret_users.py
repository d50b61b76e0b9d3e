"""Which pods read a Secret, and how: a volume is refreshed by the kubelet, an environment never is.

Kubernetes, "Secrets" (mounted Secrets are updated automatically; environment variables are not).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

from detectors.event import Fields
from detectors.finding import parse_rfc3339


@dataclass(frozen=True, slots=True)
class SecretUser:
    """A pod that reads the Secret. `started_at` is the API server's clock, seconds, UTC."""

    pod: str
    by_environment: bool
    started_at: float


def secret_users(pods: Sequence[Fields], secret: str) -> list[SecretUser]:
    """Return the running pods of `pods` that read `secret`, by name."""
    found: list[SecretUser] = []
    for pod in pods:
        metadata, spec = _part(pod, "metadata"), _part(pod, "spec")
        if _part(pod, "status").get("phase") in ("Succeeded", "Failed"):
            continue
        environment = secret in _of_environments(spec)
        if environment or secret in _of_volumes(spec):
            started = parse_rfc3339(str(metadata["creationTimestamp"]))
            found.append(SecretUser(str(metadata["name"]), environment, started))
    return sorted(found, key=lambda user: user.pod)


def _of_environments(spec: Fields) -> Iterator[str]:
    for kind in ("containers", "initContainers", "ephemeralContainers"):
        for container in cast("list[Fields]", spec.get(kind) or []):
            for one in cast("list[Fields]", container.get("envFrom") or []):
                yield str(_part(one, "secretRef").get("name"))
            for one in cast("list[Fields]", container.get("env") or []):
                yield str(_part(_part(one, "valueFrom"), "secretKeyRef").get("name"))


def _of_volumes(spec: Fields) -> Iterator[str]:
    for volume in cast("list[Fields]", spec.get("volumes") or []):
        yield str(_part(volume, "secret").get("secretName"))
        for source in cast("list[Fields]", _part(volume, "projected").get("sources") or []):
            yield str(_part(source, "secret").get("name"))


def _part(found: Fields, key: str) -> Fields:
    return cast(Fields, found.get(key) or {})
