"""Which containments there are: every file of this room that says CONTAINMENT."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable
from typing import Final, cast

import connectors.containment
from config.errors import ConfigurationError, Problem
from config.own_logins import own_denials
from config.settings import Settings
from connectors.containment.standing_object import StandingObject
from connectors.containment.tools import Tools
from connectors.kubernetes.cluster import client_of
from connectors.kubernetes.permission import Permission, role
from connectors.kubernetes.protected import Protected
from detectors.event import Fields
from playbooks.target import TargetRef

_PROTECTED: Final = ("namespace", "workload", "service_account")


def containment_types() -> dict[str, type[StandingObject]]:
    """Return kind -> class, in the order of file names."""
    found: dict[str, type[StandingObject]] = {}
    for module in sorted(info.name for info in pkgutil.iter_modules(connectors.containment.__path__)):
        verb = getattr(importlib.import_module(f"connectors.containment.{module}"), "CONTAINMENT", None)
        if verb is not None:
            found[verb.kind] = cast("type[StandingObject]", verb)
    return found


def needs_of(settings: Settings) -> Tools:
    """Return what the settings give to every containment. Raises ConfigurationError (its CA file)."""
    wanted = settings.response.containment
    try:
        client = client_of(wanted.cluster)
    except OSError as error:
        place = "response.containment.cluster.ca_file"
        text = f"cannot be read: {type(error).__name__}"
        raise ConfigurationError([Problem("settings", place, text)]) from error
    entities = [entity.partition(":") for entry in own_denials(settings) for entity in entry.entities]
    named = {kind: [name for word, _, name in entities if word == kind] for kind in _PROTECTED}
    return Tools(
        kubernetes=client,
        protected=Protected(named["namespace"], named["workload"], named["service_account"]),
        duration_s=wanted.duration_s,
        mesh_namespace=wanted.mesh_namespace,
        trust_domain=wanted.trust_domain,
    )


def containments(tools: Tools) -> dict[str, StandingObject]:
    """Return kind -> containment."""
    return {kind: made(tools) for kind, made in containment_types().items()}


def roles(name: str, rights: Iterable[Permission]) -> list[Fields]:
    """Return the Roles, one a namespace, that grant exactly `rights` and nothing else."""
    asked = sorted(set(rights))
    return [role(name, namespace, asked) for namespace in sorted({one.namespace for one in asked})]


def rights_for(tools: Tools, targets: Iterable[TargetRef]) -> list[Permission]:
    """Return the rights that containing these targets needs. Raises KeyError, NotANameError."""
    known = containments(tools)
    return sorted({right for target in targets for right in known[target.kind].rights(target)})
