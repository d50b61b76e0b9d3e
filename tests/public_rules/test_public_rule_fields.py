"""The names that public rules use resolve on real-shaped events: raw names, short ones, those of ECS."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import orjson
import pytest
import yaml

from connectors.sources.catalogue import profile
from detectors.event import Event
from detectors.sigma.document import RuleDocument
from detectors.sigma.engine import Engine
from detectors.sigma.path import MISSING, lookup
from detectors.sigma.ruleset import RuleSet

# The conditions ask for these to be missing, or only leave out what has them.
LEFT_OUT: Final = frozenset({"errorCode", "errorMessage"})
# No event can have them together with the rest of the rule; README.md says why.
NEVER_TOGETHER: Final = {
    "aws_ecs_task_definition_cred_endpoint_query": {"DescribeTaskDefinition", "RunTask"},
    "aws_cloudtrail_imds_malicious_usage": {"RegisterManagedInstance"},
}
SHORT: Final = {
    "objectRef.apiGroup": "apiGroup",
    "objectRef.resource": "resource",
    "objectRef.subresource": "subresource",
    "objectRef.namespace": "namespace",
}
LONG: Final = {
    "apiGroup": "objectRef.apiGroup",
    "hostPath": "requestObject.spec.volumes.hostPath",
    "capabilities": "requestObject.spec.containers.securityContext.capabilities.add",
}
ECS: Final = {
    "eventName": "event.action",
    "eventSource": "event.provider",
    "errorCode": "error.code",
    "errorMessage": "error.message",
    "sourceIPAddress": "source.address",
    "userAgent": "user_agent.original",
    "eventType": "aws.cloudtrail.event_type",
    "userIdentity.arn": "aws.cloudtrail.user_identity.arn",
    "userIdentity.type": "aws.cloudtrail.user_identity.type",
    "userIdentity.sessionContext.sessionIssuer.type": (
        "aws.cloudtrail.user_identity.session_context.session_issuer.type"
    ),
    "additionalEventData.MFAUsed": "aws.cloudtrail.console_login.additional_eventdata.mfa_used",
    "requestParameters": "aws.cloudtrail.request_parameters",
    "responseElements": "aws.cloudtrail.response_elements",
    "verb": "event.action",
    "objectRef.resource": "orchestrator.resource.type",
    "objectRef.namespace": "orchestrator.namespace",
    "objectRef.apiGroup": "kubernetes.audit.objectRef.apiGroup",
    "responseStatus.code": "http.response.status_code",
    "requestURI": "url.original",
}
BELOW: Final = {
    "requestParameters.": "aws.cloudtrail.flattened.request_parameters.",
    "responseElements.": "aws.cloudtrail.flattened.response_elements.",
}


def leaves(detection: Any) -> Iterator[tuple[str, Any]]:
    """Yield every field with its modifiers, and its values, of a detection section."""
    if isinstance(detection, list):
        for item in detection:
            yield from leaves(item)
    elif isinstance(detection, dict):
        for key, value in detection.items():
            if isinstance(value, dict) or (
                isinstance(value, list) and any(isinstance(v, dict) for v in value)
            ):
                yield from leaves(value)
            elif key != "condition":
                yield key, value


def test_every_field_is_in_an_event_that_the_rule_finds(
    public_rules: Any, as_event: Callable[[bytes], Event]
) -> None:
    missing = []
    for name, path in public_rules.paths.items():
        detection = yaml.safe_load(path.read_text(encoding="utf-8"))["detection"]
        events = [as_event(orjson.dumps(c.record)) for c in public_rules.cases if c.rule == name and c.wanted]
        for field in {key.partition("|")[0] for key, _ in leaves(detection)} - LEFT_OUT:
            read = lookup(events[0].profile.aliases.get(field, field))
            if all(read(event.fields) is MISSING for event in events):
                missing.append((name, field))
    assert missing == []


def test_every_call_that_a_rule_names_has_an_event(public_rules: Any) -> None:
    left = []
    for name, path in public_rules.paths.items():
        seen = {c.record.get("eventName", "") for c in public_rules.cases if c.rule == name}
        detection = yaml.safe_load(path.read_text(encoding="utf-8"))["detection"]
        for key, value in leaves(detection):
            if key == "eventName":
                named = set(value if isinstance(value, list) else [value])
                left += [(name, call) for call in named - seen - NEVER_TOGETHER.get(name, set())]
    assert left == []


def test_the_fields_are_those_of_the_two_sources(public_rules: Any) -> None:
    """What is not a raw name at the top of a record is one of the short names that the source answers."""
    short: Counter[str] = Counter()
    for name, path in public_rules.paths.items():
        detection = yaml.safe_load(path.read_text(encoding="utf-8"))["detection"]
        kind = "cloudtrail" if name.startswith("aws_") else "kubernetes_audit"
        short.update(
            f for key, _ in leaves(detection) if (f := key.partition("|")[0]) in profile(kind).aliases
        )
    assert set(short) == {"apiGroup", "capabilities", "hostPath"}


@pytest.mark.parametrize("names", [SHORT, LONG, ECS], ids=["short", "long", "ecs"])
def test_other_names_give_the_same_verdicts(
    public_rules: Any, as_event: Callable[[bytes], Event], names: Mapping[str, str]
) -> None:
    renamed: Counter[str] = Counter()

    def other(part: Any) -> Any:
        if isinstance(part, list):
            return [other(item) for item in part]
        return {new(key): other(value) for key, value in part.items()} if isinstance(part, dict) else part

    def new(key: str) -> str:
        field, bar, modifiers = key.partition("|")
        below = next((start for start in BELOW if field.startswith(start)), "") if names is ECS else ""
        found = names.get(field) or (field.replace(below, BELOW[below], 1) if below else field)
        renamed[field] += found != field
        return f"{found}{bar}{modifiers}"

    documents = []
    for path in public_rules.paths.values():
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        document["detection"] = other(document["detection"])
        documents.append(RuleDocument(str(path), yaml.safe_dump(document, sort_keys=False)))
    assert set(names) <= {field for field, count in renamed.items() if count}
    loaded = RuleSet.load(documents)
    assert not loaded.refusals
    engine = Engine(loaded)
    for case in (*public_rules.cases, *public_rules.real):
        found = {f.rule_id for f in engine.inspect(as_event(orjson.dumps(case.record))).findings}
        assert (public_rules.ids[case.rule] in found) is case.wanted, case
