"""One right at the API server, as RBAC grants it and as an access review asks for it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from detectors.event import Fields


@dataclass(frozen=True, slots=True, order=True)
class Permission:
    """`verb` on `resource` of `group` ("" = core), in `namespace` ("" = the whole cluster).

    `name` narrows it to one object; RBAC cannot narrow create and list by name.
    """

    verb: str
    group: str
    resource: str
    namespace: str = ""
    name: str = ""
    subresource: str = ""

    def __str__(self) -> str:
        whole = f"{self.resource}/{self.subresource}" if self.subresource else self.resource
        full = f"{whole}.{self.group}" if self.group else whole
        where = f" in {self.namespace}" if self.namespace else ""
        return f"{self.verb} {full}{f' {self.name}' if self.name else ''}{where}"

    def review(self) -> Fields:
        """Return the body of a SelfSubjectAccessReview that asks for exactly this right."""
        attributes = {
            "verb": self.verb,
            "group": self.group,
            "resource": self.resource,
            "namespace": self.namespace,
            "name": self.name,
            "subresource": self.subresource,
        }
        return {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {key: value for key, value in attributes.items() if value}},
        }

    def rule(self) -> Fields:
        """Return the RBAC rule that grants exactly this right."""
        whole = f"{self.resource}/{self.subresource}" if self.subresource else self.resource
        rule: Fields = {"apiGroups": [self.group], "resources": [whole], "verbs": [self.verb]}
        return {**rule, "resourceNames": [self.name]} if self.name else rule


def role(name: str, namespace: str, permissions: Iterable[Permission]) -> Fields:
    """Return the Role (ClusterRole for namespace "") with exactly the rights of this namespace."""
    rules = [one.rule() for one in sorted(set(permissions)) if one.namespace == namespace]
    metadata: Fields = {"name": name, "namespace": namespace} if namespace else {"name": name}
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role" if namespace else "ClusterRole",
        "metadata": metadata,
        "rules": list(rules),
    }
