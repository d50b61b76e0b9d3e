"""Test events are near enough to their rules: take any part of a rule away, and a verdict changes.

Each plain rule, public or shipped, is made into mutants: one field less, one value of a list, one item, one
`and not` of the condition. A mutant that no event tells from the rule shows a part that the events do not
test; what no real record can tell is named in `EQUAL`, with the reason.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

import orjson
import pytest
import yaml

from detectors.event import Event
from detectors.inventory.shipped import classes
from detectors.rules import builtin
from detectors.rules.cases import builtin_cases, judge
from detectors.sigma.document import RuleDocument
from detectors.sigma.ruleset import RuleSet

# Calls of one service only, so that its name adds nothing (API lists of botocore 1.44.5; sign-in).
ONE_SERVICE: Final = frozenset(
    """
    bedrock_guardrail_deleted bedrock_guardrail_updated disable_logging new_acl_entries region_enabled
    security_group_change_ingress_egress security_group_change_loadbalancer security_group_change_rds
    ssm_malicious_usage disable_recording getsignintoken delete_identity delete_saml_provider
    disable_encryption startup_script_change vm_export_failure cred_endpoint_query
    elasticache_security_group_created elasticache_security_group_modified_or_deleted enum_buckets
    backdoor_users_keys s3browser_loginprofile_creation s3browser_templated_s3_bucket_policy_creation
    s3browser_user_or_accesskey_creation import_key_material lambda_function_url new_lambda_layer_attached
    glue_development_endpoint rds_change_master_password rds_dbcluster_actions rds_public_db_restore
    snapshot_backup_exfiltration sso_idp_change sts_getcalleridentity_trufflehog sts_getsessiontoken_misuse
    susp_saml_activity update_login_profile access_key_for_other_user trail_changed
    """.split()  # noqa: SIM905
)
_NO_VERB: Final = "no verb of the API"
_ONE_RESOURCE: Final = "one resource has it"
_SIGN_IN: Final = "only sign-in says so"
# Mutants that no real record tells from the rule, by the end of the rule's name.
EQUAL: Final = {
    ("change_admission_controller", "selection without objectRef.apiGroup"): _ONE_RESOURCE,
    ("rbac_permisions_listing", "selection without verb"): "it can only be created",
    ("exec_into_container", "selection without objectRef.resource"): _ONE_RESOURCE,
    ("change_admission_controller", "verb without replace"): _NO_VERB,
    ("cronjob_modification", "verb without replace"): _NO_VERB,
    ("rolebinding_modification", "verb without replace"): _NO_VERB,
    ("secrets_modified_or_deleted", "verb without replace"): _NO_VERB,
    ("failed_authentication", "selection without eventName"): _SIGN_IN,
    ("login_success_without_mfa", "selection without eventName"): _SIGN_IN,
    ("console_login_without_mfa", "login without eventName"): _SIGN_IN,
    ("cred_endpoint_query", "selection without eventName"): "one call has container definitions",
    ("cred_endpoint_query", "eventName without DescribeTaskDefinition"): "it has no container definitions",
    ("cred_endpoint_query", "eventName without RunTask"): "it has no container definitions",
    ("assumerole_misuse", "selection without userIdentity.type"): "role sessions are issued by roles",
    ("imds_malicious_usage", "filter_main_generic without item 2"): "a call of ssm, which item 1 names",
    ("backdoor_users_keys", "condition without and not filter"): "it never filters, see README.md",
    (
        "update_login_profile",
        "condition without and not 1 of filter_main_*",
    ): "it never filters, see README.md",
    ("plaintext_call", "inbound without upstream_host|exists"): "unreached says the same",
    ("plaintext_call", "refused without item 1"): "what is refused reaches no upstream",
    ("admin_role_bound", "bound without objectRef.resource"): _ONE_RESOURCE,
    ("mesh_mtls_weakened", "policy without objectRef.apiGroup"): _ONE_RESOURCE,
    ("mesh_mtls_weakened", "weakened without verb"): "other verbs have no such body",
    ("pod_session", "session without objectRef.resource"): _ONE_RESOURCE,
    ("pod_session", "debug without objectRef.resource"): _ONE_RESOURCE,
    ("privileged_pod", "made without objectRef.subresource"): "no subresource is created with a pod's body",
    ("secrets_listed", "listed without stage"): "other stages have no code 200",
    ("secrets_mirrored", "listed without verb"): "other verbs have no resource version",
    ("token_minted", "minted without objectRef.resource"): _ONE_RESOURCE,
    ("token_minted", "minted without verb"): "other verbs are refused",
    ("token_minted", "minted without stage"): "other stages have no code below 300",
    ("token_minted_for_other_namespace", "minted without objectRef.resource"): _ONE_RESOURCE,
    ("token_minted_in_own_namespace", "minted without objectRef.resource"): _ONE_RESOURCE,
    ("token_minted_in_own_namespace", "system without item 2"): "it is of no namespace",
    ("wildcard_role", "written without objectRef.resource"): "roles and cluster roles have rules",
    ("wildcard_role", "written without verb"): "other verbs have no such body",
}


@pytest.fixture(scope="module")
def survivors(public_rules: Any, as_event: Callable[[bytes], Event]) -> list[tuple[str, str]]:
    """Every mutant whose verdicts are those of its rule on all tries beside that rule: rule, mutant."""
    found: list[tuple[str, str]] = []
    for rule, path in public_rules.paths.items():
        of_rule = (case for case in (*public_rules.cases, *public_rules.real) if case.rule == rule)
        tries = [([as_event(orjson.dumps(case.record))], case.wanted) for case in of_rule]
        found += _survivors(rule, path.read_text(encoding="utf-8"), tries)
    for document in builtin():
        if "\ncorrelation:" not in document.text:
            cases = builtin_cases(document)
            wanted = ((cases.match, True), (cases.no_match, False))
            tries = [
                ([as_event(orjson.dumps(r)) for r in one], good) for many, good in wanted for one in many
            ]
            found += _survivors(document.path.removesuffix(".yml"), document.text, tries)
    return found


def test_each_part_of_a_rule_decides_a_verdict(survivors: list[tuple[str, str]]) -> None:
    assert [(rule, name) for rule, name in survivors if not _excused(rule, name)] == []


def test_no_excuse_is_refuted_by_an_event(survivors: list[tuple[str, str]]) -> None:
    services = {rule for rule, name in survivors if name.endswith(" without eventSource")}
    assert [end for end in ONE_SERVICE if not any(rule.endswith(end) for rule in services)] == []
    told = [key for key in EQUAL if not any(r.endswith(key[0]) and name == key[1] for r, name in survivors)]
    assert told == []


def _excused(rule: str, name: str) -> bool:
    if name.endswith(" without eventSource") and any(rule.endswith(end) for end in ONE_SERVICE):
        return True
    if any(name.endswith(f" without %{known.name}%") and not known.names for known in classes().values()):
        return True  # of a class that ships empty only a site's inventory can tell
    return any(rule.endswith(end) and name == which for end, which in EQUAL)


def _survivors(rule: str, text: str, tries: list[tuple[list[Event], bool]]) -> Iterator[tuple[str, str]]:
    original = yaml.safe_load(text)
    for name, mutant in _mutants(original):
        loaded = RuleSet.load([RuleDocument("mutant.yml", yaml.safe_dump(mutant, sort_keys=False))])
        assert not loaded.refusals, (rule, name)
        if all(judge(loaded, original["id"], events) is wanted for events, wanted in tries):
            yield rule, name


def _mutants(rule: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield what is missing, and the rule without it."""
    condition = rule["detection"]["condition"]
    for part in re.findall(r" (and not (?:1 of )?[\w*]+)", condition):
        less = copy.deepcopy(rule)
        less["detection"]["condition"] = condition.replace(f" {part}", "")
        yield f"condition without {part}", less
    for name, section in rule["detection"].items():
        for place, fields in enumerate(_maps(section)):
            for key, value in fields.items():
                if len(fields) > 1:
                    less = copy.deepcopy(rule)
                    del _maps(less["detection"][name])[place][key]
                    yield f"{name} without {key}", less
                for number, gone in enumerate(value if isinstance(value, list) and len(value) > 1 else []):
                    less = copy.deepcopy(rule)
                    del _maps(less["detection"][name])[place][key][number]
                    yield f"{key} without {gone}", less
        for number in range(len(section) if isinstance(section, list) and len(section) > 1 else 0):
            less = copy.deepcopy(rule)
            del less["detection"][name][number]
            yield f"{name} without item {number + 1}", less


def _maps(section: Any) -> list[dict[str, Any]]:
    if isinstance(section, list):
        return [found for item in section for found in _maps(item)]
    return [section] if isinstance(section, dict) else []
