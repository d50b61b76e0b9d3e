"""ATT&CK ids and tags as ECS `threat.*` arrays."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

_TECHNIQUE: Final = re.compile(r"(?:attack\.)?[tT](\d{4})(?:\.(\d{3}))?\Z")
_TACTICS: Final = {
    "reconnaissance": "TA0043",
    "resource-development": "TA0042",
    "initial-access": "TA0001",
    "execution": "TA0002",
    "persistence": "TA0003",
    "privilege-escalation": "TA0004",
    "defense-evasion": "TA0005",
    "credential-access": "TA0006",
    "discovery": "TA0007",
    "lateral-movement": "TA0008",
    "collection": "TA0009",
    "command-and-control": "TA0011",
    "exfiltration": "TA0010",
    "impact": "TA0040",
}
_SITE: Final = "https://attack.mitre.org"


def threat(tags: Iterable[str]) -> dict[str, Any]:
    """Return the `threat` object of technique ids (`T1552.007`) and tactic tags; {} when none is known.

    Sub-techniques also name their technique. Names of techniques are left out: ids and links say it.
    """
    tactics: list[str] = []
    techniques: list[str] = []
    below: list[str] = []
    for tag in tags:
        found = _TECHNIQUE.match(tag)
        name = tag.removeprefix("attack.").replace("_", "-").lower()
        if found:
            techniques.append(f"T{found[1]}")
            if found[2]:
                below.append(f"T{found[1]}.{found[2]}")
        elif name in _TACTICS:
            tactics.append(name)
    out: dict[str, Any] = {}
    if tactics:
        tactics = list(dict.fromkeys(tactics))
        out["tactic"] = {
            "id": [_TACTICS[name] for name in tactics],
            "name": [name.replace("-", " ").title().replace(" And ", " and ") for name in tactics],
            "reference": [f"{_SITE}/tactics/{_TACTICS[name]}/" for name in tactics],
        }
    if techniques:
        techniques = list(dict.fromkeys(techniques))
        technique: dict[str, Any] = {
            "id": techniques,
            "reference": [f"{_SITE}/techniques/{ident}/" for ident in techniques],
        }
        if below:
            below = list(dict.fromkeys(below))
            pages = [f"{_SITE}/techniques/{ident.replace('.', '/')}/" for ident in below]
            technique["subtechnique"] = {"id": below, "reference": pages}
        out["technique"] = technique
    return {"framework": "MITRE ATT&CK", **out} if out else {}
