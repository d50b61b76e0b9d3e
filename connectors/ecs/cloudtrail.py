"""CloudTrail in ECS, as Elastic's own integration names it (`aws.cloudtrail.*`).

Insights and aggregated events have no call of their own: the call that they count stands for it, and the
category says that they are an observation.
"""

from __future__ import annotations

from typing import Any, Final

from connectors.ecs.cloudtrail_actions import classify
from connectors.ecs.cloudtrail_caller import caller
from connectors.ecs.cloudtrail_record import record_fields
from connectors.ecs.head import distinct, endpoint, head, place, word, words
from connectors.ecs.moment import moment
from connectors.ecs.shown import shown
from connectors.ecs.tls import tls_fields
from connectors.sources.cloudtrail_overview import named
from connectors.sources.moment import seconds
from connectors.sources.reject import Reject
from connectors.sources.untrusted import object_at, text_at
from detectors.event import Event

_ERROR: Final = (("errorCode", "code"), ("errorMessage", "message"))
_OBSERVATION: Final = ["intrusion_detection"]
_INFO: Final = ["info"]
_GROUPS: Final = frozenset(
    {"iam.amazonaws.com", "identitystore.amazonaws.com", "sso-directory.amazonaws.com"}
)
_TOLD: Final = frozenset(
    {
        "userName",
        "newUserName",
        "roleName",
        "roleArn",
        "targetPrincipal",
        "groupName",
        "groupId",
        "instanceId",
    }
)
_ASSUMED: Final = frozenset({"AssumeRole", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity", "AssumeRoot"})


def document(event: Event) -> dict[str, Any]:
    """Return the ECS document of a CloudTrail event."""
    fields, text = shown(event.fields)
    get = fields.get
    out, about = head(event, text, "aws", "aws.cloudtrail")
    who = caller(get("userIdentity"))
    asked = get("requestParameters")
    service, action = get("eventSource"), get("eventName")
    if "insightDetails" in fields or "timeWindow" in fields:
        service, action = _overview(fields, out, about)
    else:
        about["category"], about["type"] = classify(service, action)
    if service:
        about["provider"] = word(service)
    if action:
        about["action"] = word(action)
    user = dict(who.user)
    cloud: dict[str, Any] = {"provider": "aws"}
    out["cloud"] = cloud
    region = word(get("awsRegion"))
    if region:
        cloud["region"] = region
    account = who.account or word(get("recipientAccountId")) or word(get("accountId"))
    if account:
        cloud["account"] = {"id": account}
    name = user.get("name")
    related = [name] if name else []
    if isinstance(asked, dict) and not _TOLD.isdisjoint(asked):
        _asked(service, action, asked, user, out)
        related = distinct(name, who.own_name, *_named(user))
    if user:
        out["user"] = user
    agent = word(get("userAgent"))
    if agent:
        out["user_agent"] = {"original": agent}
    if "errorCode" in fields or "errorMessage" in fields:
        error = words(get, _ERROR)
        if error:
            out["error"] = error
    request = word(get("requestID"))
    if request:
        out["http"] = {"request": {"id": request}}
    tls = get("tlsDetails")
    if isinstance(tls, dict):
        _tls(tls, out)
    found: dict[str, Any] = {"user": related} if related else {}
    source = endpoint(get("sourceIPAddress"))
    if source:
        out["source"] = source
        if "ip" in source:
            found["ip"] = [source["ip"]]
    if found:
        out["related"] = found
    vendor = record_fields(fields, out)
    if who.identity:
        vendor["user_identity"] = who.identity
    out["aws"] = {"cloudtrail": vendor}
    if event.origin:
        place(out, event.origin)
    return out


def _asked(
    service: Any, action: Any, asked: dict[str, Any], user: dict[str, Any], out: dict[str, Any]
) -> None:
    """Whom a call changes (user.target, user.changes, group) or whose rights it takes (user.effective)."""
    target = word(asked.get("userName"))
    if target is None and service == "iam.amazonaws.com":
        target = word(asked.get("roleName"))
    if target:
        user["target"] = {"name": target}
    changed = word(asked.get("newUserName"))
    if changed:
        user["changes"] = {"name": changed}
    if action in _ASSUMED:
        role = (word(asked.get("roleArn")) or word(asked.get("targetPrincipal")) or "").rpartition("/")[2]
        if role:
            user["effective"] = {"name": role}
    if service in _GROUPS:
        group = {**words(asked.get, (("groupName", "name"), ("groupId", "id")))}
        if group:
            out["group"] = group
    machine = word(asked.get("instanceId"))
    if machine:
        out["cloud"]["instance"] = {"id": machine}


def _named(user: dict[str, Any]) -> list[str]:
    return [user[part]["name"] for part in ("target", "changes", "effective") if part in user]


def _tls(tls: dict[str, Any], out: dict[str, Any]) -> None:
    get = tls.get
    found = tls_fields(
        word(get("tlsVersion")), word(get("cipherSuite")), word(get("clientProvidedHostHeader"))
    )
    if found:
        out["tls"] = found


def _overview(fields: dict[str, Any], out: dict[str, Any], about: dict[str, Any]) -> tuple[Any, Any]:
    """Fill in the event of an Insight or an aggregate; return the service and the call that it counts."""
    about["category"], about["type"] = _OBSERVATION, _INFO
    told = named(fields)
    if "insightDetails" in fields:
        reason = (
            f"{text_at(fields, 'insightDetails', 'insightType')} {text_at(fields, 'insightDetails', 'state')}"
        )
        about["reason"] = reason[:1024]
    else:
        _window(object_at(fields, "timeWindow"), about)
    return told["eventSource"] or None, told["eventName"] or None


def _window(window: dict[str, Any], about: dict[str, Any]) -> None:
    try:
        start = seconds(window.get("windowStart"), "windowStart")
        end = seconds(window.get("windowEnd"), "windowEnd")
    except Reject:
        return
    about["start"], about["end"] = moment(start), moment(end)
    if end >= start:
        about["duration"] = round((end - start) * 1_000_000_000)
