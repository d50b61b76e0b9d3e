"""The ACLs that the brokers hold: asked for and added through the protocol's own requests.

aiokafka 0.14 has the requests and no admin call for them. Codes are those of the Kafka protocol
(`AclOperation`, `AclPermissionType`, `ResourceType`, `PatternType` of kafka-clients).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple, cast

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import ClusterAuthorizationFailedError, for_code
from aiokafka.protocol.admin import CreateAclsRequest, DescribeAclsRequest

from connectors.kafka.access import Acl, Operation, Resource
from connectors.kafka.error import AclRefusedError

_RESOURCES: Final[dict[Resource, int]] = {"topic": 2, "group": 3}
_OPERATIONS: Final[dict[Operation, int]] = {"read": 3, "write": 4, "create": 5}
_ANY: Final = 1
_LITERAL: Final = 3
_PREFIXED: Final = 4
_ALLOW: Final = 3
_ANY_HOST: Final = "*"
_NAMES: Final = (
    *("unknown", "any", "all", "read", "write", "create", "delete", "alter", "describe"),
    *("cluster_action", "describe_configs", "alter_configs", "idempotent_write"),
)


class Held(NamedTuple):
    """One ACL of the brokers, with the words of Kafka's own tools where they have one."""

    principal: str
    host: str
    resource: str
    name: str
    pattern: str
    operation: str
    allow: bool


async def held_acls(admin: AIOKafkaAdminClient) -> list[Held]:
    """Return every ACL on topics and groups. Raises AclRefusedError (also where there is no authorizer)."""
    found: list[Held] = []
    for resource, code in _RESOURCES.items():
        request = DescribeAclsRequest(
            code, cast(str, None), _ANY, cast(str, None), cast(str, None), _ANY, _ANY
        )
        answer = cast(Any, await admin._send_request(request))
        if answer.error_code:
            raise AclRefusedError(f"ACLs cannot be read: {_why(answer.error_code, answer.error_message)}")
        for _, name, pattern, entries in answer.resources:
            for principal, host, operation, permission in entries:
                found.append(
                    Held(
                        principal,
                        host,
                        resource,
                        name,
                        "prefixed" if pattern == _PREFIXED else "literal",
                        _NAMES[operation] if 0 <= operation < len(_NAMES) else str(operation),
                        permission == _ALLOW,
                    )
                )
    return sorted(found)


def missing(wanted: Iterable[Acl], held: Iterable[Held]) -> list[Acl]:
    """Return the wanted rights that no ACL states literally."""
    have = {
        Acl(h.principal, cast(Resource, h.resource), h.name, cast(Operation, h.operation))
        for h in held
        if h.allow and h.host == _ANY_HOST and h.pattern == "literal"
    }
    return [acl for acl in wanted if acl not in have]


async def add_acls(admin: AIOKafkaAdminClient, wanted: Sequence[Acl]) -> None:
    """Make the rights; those that are there already stay. Raises AclRefusedError for a refused one."""
    requests = (
        admin._send_to_controller(
            CreateAclsRequest(
                _RESOURCES[acl.resource],
                acl.name,
                _LITERAL,
                acl.principal,
                _ANY_HOST,
                _OPERATIONS[acl.operation],
                _ALLOW,
            )
        )
        for acl in wanted
    )
    answers = await asyncio.gather(*requests)
    for acl, answer in zip(wanted, answers, strict=True):
        code, reason = cast(Any, answer).creation_responses[0]
        if code:
            what = f"{acl.principal} {acl.operation} {acl.resource} {acl.name}"
            raise AclRefusedError(f"{what}: {_why(code, reason)}")


def beyond(wanted: Iterable[Acl], held: Iterable[Held], topics: Sequence[str]) -> list[Held]:
    """Return the ACLs that let anybody do more with `topics` than `wanted` does; DESCRIBE is not more."""
    given = set(wanted)
    return [
        h
        for h in held
        if h.allow
        and h.resource == "topic"
        and not h.operation.startswith("describe")
        and any(_covers(h, topic) for topic in topics)
        and Acl(h.principal, "topic", h.name, cast(Operation, h.operation)) not in given
    ]


def _covers(held: Held, topic: str) -> bool:
    if held.pattern == "prefixed":
        return topic.startswith(held.name)
    return held.name in (topic, "*")


def _why(code: int, reason: str | None) -> str:
    """Name an error. Kafka's own words for a missing cluster right are its request, printed."""
    error = for_code(code)
    if error is ClusterAuthorizationFailedError:
        return f"{error.__name__}: it takes DESCRIBE and ALTER on the cluster"
    return f"{error.__name__} {reason or ''}".strip()
