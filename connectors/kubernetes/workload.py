"""What runs pods: its selector, its pods, and whether the selector reaches exactly these.

A selector is taken from the workload itself, never from a finding. Pods belong to a workload by the
controller in their owner references, for a deployment over its replica sets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast

from connectors.kubernetes.client import KubernetesClient
from connectors.kubernetes.kinds import POD, REPLICA_SET, WORKLOADS
from connectors.kubernetes.names import NotANameError, namespace_name, object_name, shown
from connectors.kubernetes.permission import Permission
from connectors.kubernetes.selector import query, selects_everything
from detectors.event import Fields

_FINISHED: Final = frozenset({"Succeeded", "Failed"})
_SHOWN: Final = 5


class NotExactError(Exception):
    """No selector reaches the workload's pods and nothing else; the message names what else."""


@dataclass(frozen=True, slots=True)
class WorkloadRef:
    """Names a workload: `kind` is a word of `kinds.WORKLOADS`."""

    namespace: str
    kind: str
    name: str

    @classmethod
    def parse(cls, namespace: str, text: str) -> WorkloadRef:
        """Return the workload that ``deployment/web`` in `namespace` means. Raises NotANameError."""
        kind, found, name = text.partition("/")
        if not found or kind not in WORKLOADS:
            raise NotANameError(f"not a workload ({'/'.join(WORKLOADS)} and a name): {shown(text)}")
        return cls(namespace_name(namespace), kind, object_name(name))

    def __str__(self) -> str:
        return f"{self.namespace}/{self.kind}/{self.name}"

    def permissions(self) -> tuple[Permission, ...]:
        """Return the rights that `read_workload` needs."""
        own = WORKLOADS[self.kind].may("get", self.namespace, self.name)
        pods = POD.may("list", self.namespace)
        sets = (REPLICA_SET.may("list", self.namespace),) if self.kind == "deployment" else ()
        return (own, pods, *sets)


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod, as far as it matters here."""

    name: str
    uid: str
    labels: Mapping[str, str]
    account: str
    host_network: bool


@dataclass(frozen=True, slots=True)
class Workload:
    """A workload, the selector that reaches exactly its pods, and these."""

    ref: WorkloadRef
    uid: str
    selector: Fields
    pods: tuple[Pod, ...]
    account: str
    host_network: bool


def read_workload(client: KubernetesClient, ref: WorkloadRef) -> Workload:
    """Return the workload with an exact selector. Raises NotExactError, KubernetesError.

    The workload's own selector is tried first, then the narrower one of all its template's labels.
    """
    found = client.get(WORKLOADS[ref.kind], ref.namespace, ref.name)
    uid = str(_part(found, "metadata").get("uid"))
    template = found if ref.kind == "pod" else _part(_part(found, "spec"), "template")
    wide, narrow = _selectors(found, template, ref.kind)
    if selects_everything(wide):
        raise NotExactError(f"{ref} has no labels of its own: its selector would reach every pod")
    owners = {uid} | _replica_sets(client, ref, uid)
    listed = client.listed(POD, ref.namespace, query(wide))
    mine = [pod for pod in listed if _belongs(pod, owners)]
    strangers = [pod for pod in listed if not _belongs(pod, owners) and not _finished(pod)]
    selector = wide
    if strangers:
        selector = narrow
        strangers = [pod for pod in strangers if _has(pod, narrow)]
        if strangers or not all(_has(pod, narrow) for pod in mine):
            raise NotExactError(f"{ref}: its selector reaches other pods too: {_names(strangers)}")
    spec = _part(template, "spec")
    return Workload(
        ref=ref,
        uid=uid,
        selector=selector,
        pods=tuple(sorted((_pod(one) for one in mine), key=lambda pod: pod.name)),
        account=str(spec.get("serviceAccountName") or "default"),
        host_network=spec.get("hostNetwork") is True,
    )


def pods_of_account(client: KubernetesClient, namespace: str, account: str) -> tuple[Pod, ...]:
    """Return the pods of a namespace that run as the service account `account`."""
    found = (_pod(one) for one in client.listed(POD, namespace) if not _finished(one))
    return tuple(sorted((pod for pod in found if pod.account == account), key=lambda pod: pod.name))


def few(names: Sequence[str]) -> str:
    """Return the first five names, and how many more there are."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _selectors(found: Fields, template: Fields, kind: str) -> tuple[Fields, Fields]:
    labels = _part(_part(template, "metadata"), "labels")
    if kind == "pod":
        return {"matchLabels": labels}, {"matchLabels": labels}
    own = _part(_part(found, "spec"), "selector")
    return own, {**own, "matchLabels": {**labels, **_part(own, "matchLabels")}}


def _replica_sets(client: KubernetesClient, ref: WorkloadRef, uid: str) -> set[str]:
    if ref.kind != "deployment":
        return set()
    listed = client.listed(REPLICA_SET, ref.namespace)
    return {str(_part(one, "metadata").get("uid")) for one in listed if _controller(one) == uid}


def _belongs(pod: Fields, owners: set[str]) -> bool:
    return _controller(pod) in owners or str(_part(pod, "metadata").get("uid")) in owners


def _controller(found: Fields) -> str:
    references = cast("list[Fields]", _part(found, "metadata").get("ownerReferences") or [])
    return next((str(one.get("uid")) for one in references if one.get("controller") is True), "")


def _finished(pod: Fields) -> bool:
    return _part(pod, "status").get("phase") in _FINISHED


def _has(pod: Fields, selector: Fields) -> bool:
    labels = _part(_part(pod, "metadata"), "labels")
    return all(labels.get(key) == value for key, value in _part(selector, "matchLabels").items())


def _names(pods: Sequence[Fields]) -> str:
    return (
        few([str(_part(pod, "metadata").get("name")) for pod in pods])
        or "none, but it misses some of its own"
    )


def _pod(found: Fields) -> Pod:
    metadata, spec = _part(found, "metadata"), _part(found, "spec")
    return Pod(
        name=str(metadata.get("name")),
        uid=str(metadata.get("uid")),
        labels=cast("Mapping[str, str]", _part(metadata, "labels")),
        account=str(spec.get("serviceAccountName") or "default"),
        host_network=spec.get("hostNetwork") is True,
    )


def _part(found: Fields, key: str) -> Fields:
    return cast(Fields, found.get(key) or {})
