"""The operator's settings become the policy; what is wrong is told with its place."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from config.errors import ConfigurationError
from config.notification import Webhook
from config.response import Caps, Response, Target
from config.secret import Secret
from config.settings import Settings
from config.vault import Vault
from config.web import Approver, Web
from daemon.roles.respond.policy import policy_of

TOKEN = Vault(token=Secret(value=SecretStr("s.x")))


def test_everything_that_decides_is_carried_over():
    settings = Settings(
        site="mine",
        vault=TOKEN,
        response=Response(
            mode="auto",
            kill_switch=True,
            drill_days=2,
            freshness_s=60,
            caps=Caps(site_hour=3),
            targets=(Target(name="a", classification="restricted", owner="o"),),
        ),
        web=Web(approvers=(Approver(name="alice", token_sha256="0" * 64, classes=("internal",)),)),
        notify=(Webhook(name="pager", min_level="critical"),),
    )
    policy = policy_of(settings, {("vault_entity", "e")})
    assert (policy.site, policy.mode, policy.kill_switch) == ("mine", "auto", True)
    assert (policy.times.drill_s, policy.times.freshness_s) == (2 * 86_400, 60)
    assert policy.caps.site_hour == 3
    assert policy.targets[0].key == "database_static_role:database/a"
    assert policy.approvers[0].classes == ("internal",)
    assert policy.own_identities == {("vault_entity", "e")}
    assert policy.notifiers[0].min_level == "critical"
    assert "leaked-credential" in policy.playbooks
    assert [step.name for step in policy.steps_of(policy.targets[0])][2] == "rotate"


def test_a_target_named_twice_and_a_missing_token_are_told_together():
    settings = Settings(response=Response(targets=(Target(name="a"), Target(name="a"))))
    with pytest.raises(ConfigurationError) as error:
        policy_of(settings)
    assert [problem.key for problem in error.value.problems] == ["response.targets.1", "vault.token"]


def test_a_playbook_that_is_wrong_is_told_with_its_line(tmp_path):
    (tmp_path / "bad.md").write_text("---\nid: x\n---\n", encoding="utf-8")
    settings = Settings(response=Response(playbooks=(tmp_path,)))
    with pytest.raises(ConfigurationError, match=r"bad\.md:\d+"):
        policy_of(settings)
