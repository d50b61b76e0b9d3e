"""What a finding leads to: an alias learned, context kept, an incident under a key, actions to plan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from detectors.event import Alias
from detectors.finding import Finding
from detectors.level import Level, rank
from playbooks.containment import containments_for
from playbooks.incident import incident_key
from playbooks.intake import ALIAS_RULE, alias_of
from playbooks.naming import NOTHING, targets_for
from playbooks.playbook import Playbook
from playbooks.policy import Policy
from playbooks.target import TargetRef

Kind: TypeAlias = Literal["alias", "informational", "context", "incident"]
OPENING_LEVEL: Final[Level] = "medium"
FALLBACK: Final = "triage"
OWN_PLAYBOOK: Final = "leaked-credential"
# Types that name a place shared by many: meeting there says nothing about who.
HUBS: Final = frozenset({"namespace", "node", "image", "host", "bucket", "database"})


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do with one finding. `targets` are those that the playbook's rotation shall be planned for,
    `containments` what its containment shall be proposed for.
    `missing` says, a line each, what the finding names and no configured target can act on.

    `stale`: older than the freshness limit at first sight; such a finding never pages or acts.
    """

    kind: Kind
    level: Level
    playbook_id: str = ""
    playbook_version: str = ""
    playbook: Playbook | None = None
    key: str = ""
    primary: tuple[str, str] = ("", "")
    title: str = ""
    stale: bool = False
    targets: tuple[TargetRef, ...] = ()
    containments: tuple[TargetRef, ...] = ()
    missing: tuple[str, ...] = ()
    alias: Alias | None = None


def decide(
    finding: Finding, policy: Policy, received_at: float, *, own_unexplained: bool = False
) -> Decision:
    """Return what `finding` (bounded) leads to. `received_at` is seconds (UTC).

    `own_unexplained`: Davylamp's own identity did it and no intent explains it; that is critical.
    """
    if finding.rule_id == ALIAS_RULE:
        return Decision("alias", "informational", alias=alias_of(finding))
    level: Level = "critical" if own_unexplained else finding.level
    if level == "informational":
        return Decision("informational", level)
    stale = received_at - finding.event_time > policy.times.freshness_s
    if rank(level) < rank(OPENING_LEVEL):
        return Decision("context", level, stale=stale)
    playbook_id = OWN_PLAYBOOK if own_unexplained else playbook_for(finding, policy)
    playbook = policy.playbooks.get(playbook_id)
    primary = primary_entity(finding)
    step = playbook.rotation if playbook else None
    rotates = step is not None and finding.rule_id not in step.except_rules and not stale
    named = targets_for(finding.entities, policy.targets, policy.own_identities) if rotates else NOTHING
    cut = playbook.containment if playbook else None
    cuts = cut is not None and finding.rule_id not in cut.except_rules and not stale
    off = containments_for(finding.entities, policy.containable, policy.own_identities) if cuts else NOTHING
    return Decision(
        kind="incident",
        level=level,
        playbook_id=playbook_id,
        playbook_version=playbook.version if playbook else "0.0.0",
        playbook=playbook,
        key=incident_key(policy.site, playbook_id, primary),
        primary=primary,
        title=_title(finding, playbook, primary, own_unexplained),
        stale=stale,
        targets=named.targets,
        containments=off.targets,
        missing=(*named.missing, *off.missing),
    )


def playbook_for(finding: Finding, policy: Policy) -> str:
    """Return the playbook's id: by label, by the playbooks' rules, by the rules' playbooks, else triage."""
    label = finding.labels.get("playbook", "")
    if label in policy.playbooks:
        return label
    for playbook in policy.playbooks.values():
        if finding.rule_id in playbook.rules:
            return playbook.id
    named = policy.rule_playbooks.get(finding.rule_id, "")
    return named if named in policy.playbooks else FALLBACK


def primary_entity(finding: Finding) -> tuple[str, str]:
    """Return what the incident is about: a credential if one is named, else the finding's first entity."""
    for entity in finding.entities:
        if entity.type == "credential":
            return entity.type, entity.id
    if finding.entities:
        return finding.entities[0].type, finding.entities[0].id
    return "rule", finding.rule_id


def own_actor(finding: Finding, policy: Policy) -> bool:
    """Return whether one of Davylamp's own identities did what the finding tells."""
    return any(e.role == "actor" and (e.type, e.id) in policy.own_identities for e in finding.entities)


def actors_of(finding: Finding) -> tuple[str, ...]:
    """Return who acted, as `type:id`, sorted; the sources when nobody is named."""
    acting = {f"{e.type}:{e.id}" for e in finding.entities if e.role == "actor"}
    return tuple(sorted(acting or {f"{e.type}:{e.id}" for e in finding.entities if e.role == "source"}))


def _title(finding: Finding, playbook: Playbook | None, primary: tuple[str, str], own: bool) -> str:
    if own:
        return f"Davylamp's own identity was used without an intent: {primary[1]}"[:300]
    return f"{playbook.title if playbook else finding.title}: {primary[1]}"[:300]
