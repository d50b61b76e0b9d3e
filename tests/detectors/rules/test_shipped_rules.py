"""Every shipped rule against the events beside it, through the real sources."""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence

import pytest

from connectors.sources.catalogue import profile
from detectors.event import Event, Fields, Locator
from detectors.finding import Finding
from detectors.rules import builtin
from detectors.rules.cases import Cases, builtin_cases, judge
from detectors.sigma.document import RuleDocument
from detectors.sigma.engine import Engine
from detectors.sigma.ruleset import RuleSet
from playbooks.library import builtin as playbooks
from playbooks.library import load

DOCUMENTS = builtin()
RULESET = RuleSet.load(DOCUMENTS)
PLAYBOOKS = load(playbooks())
# Pages that no shipped rule opens, and who comes to them.
MANUAL = {
    "triage": "findings of rules that name no page",
    "source-silent": "the person who walks a quiet source's way, from log-tampering",
    "leaked-service-account": "the person who follows leaked-credential for this kind",
    "leaked-vault-token": "the person who follows leaked-credential for this kind",
    "leaked-external-key": "the person who follows leaked-credential for this kind",
    "leaked-deploy-key": "the person who follows leaked-credential for this kind",
    "leaked-approle": "the person who follows leaked-credential for this kind",
    "leaked-database-lease": "the person who follows leaked-credential for this kind",
    "dead-credential": "detect's own finding about a credential that was proven dead",
    "campaign": "respond, when the risk of one actor opens a campaign",
}
IDENTITIES = [item.identity for item in (*RULESET.rules, *RULESET.correlations)]
BY_PATH = {identity.path: identity for identity in IDENTITIES}


def events(document: RuleDocument, records: Sequence[Fields]) -> list[Event]:
    kind = document.path.split("/")[0]
    return [
        profile(kind).parse(record, Locator("t", 0, place, 0), {}) for place, record in enumerate(records)
    ]


def fires(document: RuleDocument, records: Sequence[Fields]) -> bool:
    return judge(RULESET, BY_PATH[document.path].id, events(document, records))


def findings_of(document: RuleDocument, records: Sequence[Fields]) -> list[Finding]:
    engine, rule_id = Engine(RULESET), BY_PATH[document.path].id
    found = [f for event in events(document, records) for f in engine.inspect(event).findings]
    return [finding for finding in found if finding.rule_id == rule_id]


def case_ids(document: RuleDocument) -> str:
    return document.path


@pytest.mark.parametrize("document", DOCUMENTS, ids=case_ids)
def test_rule_matches_its_events(document: RuleDocument) -> None:
    cases: Cases = builtin_cases(document)
    assert len(cases.match) >= 2
    for place, records in enumerate(cases.match):
        assert fires(document, records), f"match {place} is not found"


@pytest.mark.parametrize("document", DOCUMENTS, ids=case_ids)
def test_rule_leaves_look_alikes_alone(document: RuleDocument) -> None:
    cases: Cases = builtin_cases(document)
    assert len(cases.no_match) >= 2
    for place, records in enumerate(cases.no_match):
        assert not fires(document, records), f"no_match {place} is found"


def test_nothing_shipped_is_refused() -> None:
    assert [str(refusal) for refusal in RULESET.refusals] == []
    assert len(BY_PATH) == len(DOCUMENTS) >= 14


@pytest.mark.parametrize("identity", IDENTITIES, ids=lambda identity: identity.path)
def test_rule_is_complete(identity: object) -> None:
    known = next(item for item in IDENTITIES if item is identity)
    assert uuid.UUID(known.id).version in (4, 5)
    assert known.title
    assert known.description
    assert known.references
    assert known.falsepositives
    assert known.playbook in PLAYBOOKS
    assert all(re.fullmatch(r"T\d{4}(\.\d{3})?", technique) for technique in known.attack)
    assert known.attack


def test_every_page_is_opened_by_a_rule_or_by_a_person() -> None:
    opened = {identity.playbook for identity in IDENTITIES}
    assert opened.isdisjoint(MANUAL)
    assert opened | MANUAL.keys() == PLAYBOOKS.keys()


def test_pages_know_only_techniques_that_rules_find() -> None:
    found = {technique for identity in IDENTITIES for technique in identity.attack}
    assert {name for name, page in PLAYBOOKS.items() if not found.issuperset(page.attack)} == set()


def test_rules_about_a_credential_keep_the_page_that_acts() -> None:
    """Only `leaked-credential` may rotate without a click. The root user's key is nobody's target."""
    single = {rule.path for rule in (item.identity for item in RULESET.rules)}
    elsewhere = {
        document.path
        for document in DOCUMENTS
        if document.path in single and PLAYBOOKS[str(BY_PATH[document.path].playbook)].auto.mode != "auto"
    }
    assert {path for path in elsewhere if _credentials(path)} == set()


def _credentials(path: str) -> set[str]:
    """Return the credentials, but root's, that the events beside a rule name."""
    document = next(item for item in DOCUMENTS if item.path == path)
    source = profile(path.split("/")[0])
    parsed = (event for records in builtin_cases(document).match for event in events(document, records))
    named = {
        entity.id for event in parsed for entity in source.entities(event) if entity.type == "credential"
    }
    return {name for name in named if not name.endswith(":root")}


def test_every_source_has_rules_and_correlations_exist_of_several_kinds() -> None:
    assert {document.path.split("/")[0] for document in DOCUMENTS} == {
        "cloudtrail",
        "kubernetes_audit",
        "istio_access",
        "vault_audit",
    }
    assert {item.kind for item in RULESET.correlations} == {"event_count", "temporal_ordered", "value_count"}


def test_rules_are_keyed_on_no_name() -> None:
    """No rule text names a person, host, account or tool of the lab's samples."""
    banned = re.compile(
        r"terraminer|jonas|katrin|maria\.costa|sven|piotr|kubectl|curl|aws-cli|python-requests", re.I
    )
    for document in DOCUMENTS:
        assert not banned.search(document.text), document.path


def test_a_finding_says_who_and_carries_its_playbook() -> None:
    document = next(item for item in DOCUMENTS if item.path.endswith("access_key_for_other_user.yml"))
    findings = findings_of(document, builtin_cases(document).match[0])
    [finding] = findings
    assert finding.level == "high"
    assert finding.labels["playbook"] == "leaked-credential"
    assert "ada" in finding.explain
    assert finding.explain.startswith(finding.title)
    assert ("credential", "iam:backup", "target") in finding.entities


def test_a_refused_attempt_counts_one_level_less() -> None:
    document = next(item for item in DOCUMENTS if item.path.endswith("trail_stopped.yml"))
    findings = findings_of(document, builtin_cases(document).match[2])
    assert [(item.base_level, item.level) for item in findings] == [("high", "medium")]
