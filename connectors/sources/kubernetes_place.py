"""Where a container's log comes from, as Fluent Bit, Vector, Filebeat and OpenTelemetry write it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from connectors.sources.layer import stated
from connectors.sources.untrusted import object_at, text_at

_CONTROLLERS: Final = ("deployment", "statefulset", "daemonset", "cronjob", "job")
_RANDOM: Final = re.compile(r"-[a-z0-9]{5}\Z")
_ORDINAL: Final = re.compile(r"-\d{1,6}\Z")
_OWNED: Final = frozenset({"StatefulSet", "DaemonSet", "Job"})


def place(kubernetes: Any) -> dict[str, str]:
    """Return namespace, workload, pod and node of a shipper's `kubernetes` object."""
    pod = text_at(kubernetes, "pod_name") or text_at(kubernetes, "pod", "name")
    namespace = text_at(kubernetes, "namespace_name") or text_at(kubernetes, "pod_namespace")
    node = text_at(kubernetes, "host") or text_at(kubernetes, "pod_node_name")
    return stated(
        namespace=namespace or text_at(kubernetes, "namespace"),
        workload=_controller(kubernetes) or _owner(kubernetes, pod) or _by_labels(kubernetes, pod),
        pod=pod,
        node=node or text_at(kubernetes, "node", "name"),
    )


def resource(attributes: Mapping[str, Any]) -> dict[str, str]:
    """Return the origin that OpenTelemetry resource attributes state (semantic conventions: cloud, k8s)."""
    names = (text_at(attributes, f"k8s.{kind}.name") for kind in _CONTROLLERS)
    return stated(
        account=attributes.get("cloud.account.id"),
        region=attributes.get("cloud.region"),
        cluster=attributes.get("k8s.cluster.name"),
        namespace=attributes.get("k8s.namespace.name"),
        workload=next((name for name in names if name), None),
        pod=attributes.get("k8s.pod.name"),
        node=attributes.get("k8s.node.name"),
    )


def _controller(kubernetes: Any) -> str | None:
    """Filebeat names the controller itself."""
    names = (text_at(kubernetes, kind, "name") for kind in _CONTROLLERS)
    return next((name for name in names if name), None)


def _owner(kubernetes: Any, pod: str | None) -> str | None:
    """Vector names the owner as KIND/NAME; a replica set's own name is read from the labels."""
    kind, slash, name = (text_at(kubernetes, "pod_owner") or "").partition("/")
    return name if pod and slash and name and kind in _OWNED else None


def _by_labels(kubernetes: Any, pod: str | None) -> str | None:
    """The labels that controllers set on their pods say which end of the pod's name is theirs."""
    labels = object_at(kubernetes, "labels") or object_at(kubernetes, "pod_labels")
    if not pod or not labels or len(pod) > 256:
        return None
    template = text_at(labels, "pod-template-hash")
    if template:
        head, found, _ = pod.rpartition(f"-{template}-")
        return head if found and head else None
    job = text_at(labels, "batch.kubernetes.io/job-name") or text_at(labels, "job-name")
    if job:
        return job
    if text_at(labels, "controller-revision-hash"):
        ending = _ORDINAL if text_at(labels, "statefulset.kubernetes.io/pod-name") else _RANDOM
        return ending.sub("", pod) if ending.search(pod) else None
    return None
