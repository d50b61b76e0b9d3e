"""event.category and event.type of CloudTrail calls: by service, by what a call is about, by its first word.

The first word of a call's name gives its effect; the effect is a type of a category if ECS expects it there.
A call that reads or changes how a service is set up is a configuration, whatever the service does: a bucket's
policy is no file, a security group no traffic, a new database no query. Sources of the calls' meaning: the
service models of botocore and "Actions, resources, and condition keys" of each service.
"""

from __future__ import annotations

from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final

from connectors.ecs.cloudtrail_exceptions import EXCEPTIONS, FAMILIES, SUBJECTS
from connectors.ecs.cloudtrail_verbs import effect_of

_EXPECTED: Final = {
    "iam": {"change", "creation", "deletion", "info"},
    "authentication": {"start", "end", "info"},
    "session": {"start", "end", "info"},
    "file": {"access", "change", "creation", "deletion", "info"},
    "host": {"access", "change", "end", "info", "start"},
    "database": {"access", "change", "info"},
    "process": {"access", "change", "end", "info", "start"},
    "configuration": {"access", "change", "creation", "deletion", "info"},
    "intrusion_detection": {"info"},
    "vulnerability": {"info"},
    "email": {"info"},
}
CATEGORIES: Final = MappingProxyType({name: frozenset(kinds) for name, kinds in _EXPECTED.items()})
_LONGEST: Final = 128
_UNKNOWN: Final = (["configuration"], ["info"])


def classify(service: Any, action: Any) -> tuple[list[str], list[str]]:
    """Return (event.category, event.type) of a call, values of ECS only; the lists are shared, read them.

    `service` is eventSource ("iam.amazonaws.com"), `action` eventName; both are a caller's text. What no
    rule knows is ["configuration"], ["info"].
    """
    if not isinstance(service, str) or not isinstance(action, str):
        return _UNKNOWN
    if len(service) > _LONGEST or len(action) > _LONGEST:
        return _UNKNOWN
    return _classify(service, action)


@lru_cache(maxsize=4096)
def _classify(service: str, action: str) -> tuple[list[str], list[str]]:
    name = service.removesuffix(".amazonaws.com")
    effect = effect_of(action)
    call = f"{name}:{action}"
    for pattern, category, kind in EXCEPTIONS:
        if pattern.match(call):
            return _fitted(category, kind or effect, action)
    for category, services, about in FAMILIES:
        if name in services and about.search(action):
            return _fitted(category, effect, action)
    return _fitted("configuration", effect, action)


def _fitted(category: str, effect: str, action: str) -> tuple[list[str], list[str]]:
    """Fit an effect to what ECS expects of the category; what fits nowhere there is a configuration."""
    if category == "iam":
        kind = "info" if effect == "access" else "change" if effect in {"start", "end"} else effect
        return ["iam"], [kind, *_subjects(action)]
    if effect in _EXPECTED[category]:
        return [category], [effect]
    if _EXPECTED[category] == {"info"} or (effect == "access" and "info" in _EXPECTED[category]):
        return [category], ["info"]
    moved = effect in {"start", "end"}
    kept = moved and "change" in _EXPECTED[category]
    return [category if kept else "configuration"], ["change" if moved else effect]


def _subjects(action: str) -> list[str]:
    """Users and groups that a call is about; `admin` is what affects neither (ECS, event.type)."""
    found = [subject for subject, pattern in SUBJECTS if subject != "admin" and pattern.search(action)]
    return found or [
        subject for subject, pattern in SUBJECTS if subject == "admin" and pattern.search(action)
    ]
