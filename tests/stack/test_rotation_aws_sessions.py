"""The dated deny on a role, before moto's double of IAM."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from cluster_response.faulty import Faulty
from cluster_response.moto_server import ACCOUNT_ID, MotoServer
from cluster_response.running import context_of, named, run
from pydantic import ValidationError

from connectors.aws.client import AwsClient
from connectors.aws.session_deny import POLICY, denies_until, session_deny
from connectors.rotation.aws_role_sessions import AwsRoleSessions, role_policy
from connectors.rotation.aws_role_sessions import AwsRoleSessionsTarget as Target
from playbooks.ports import StepFailedError
from playbooks.proof import grade
from playbooks.target import TargetRef

DOUBLE = "moto: keeps the policy, does not judge sessions by aws:TokenIssueTime"


@pytest.fixture(scope="module")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MotoServer]:
    server = MotoServer(tmp_path_factory.mktemp("moto"))
    server.start()
    yield server
    server.stop()


class Scene:
    """A role, and our own user with exactly the declared policy."""

    def __init__(self, moto: MotoServer, less: str = "") -> None:
        moto.enforce(False)
        self.moto = moto
        self.role = f"role-{secrets.token_hex(4)}"
        moto.ask("CreateRole", RoleName=self.role, AssumeRolePolicyDocument=json.dumps({"Statement": []}))
        blank = Target(name=self.role, shared=False, classification="internal")
        policy: Any = role_policy(ACCOUNT_ID, blank)
        policy["Statement"][0]["Resource"] = "*"
        if less:
            policy["Statement"][0]["Action"].remove(f"iam:{less}")
        _, ours = moto.user(policy)
        self.target = blank.model_copy(update={"account": moto.account(ours)})
        self.faulty = Faulty(httpx.HTTPTransport(verify=False))
        self.client = AwsClient({"iam": moto.url, "sts": moto.url}, "us-east-1", transport=self.faulty)
        self.handler = AwsRoleSessions({self.target.key: self.target}, connect=lambda _account: self.client)
        self.ref = TargetRef("aws_role_sessions", "aws", self.role, "internal", "data")
        moto.enforce(True)

    def deny(self) -> str | None:
        self.moto.enforce(False)
        listed = self.moto.ask("ListRolePolicies", RoleName=self.role).texts("member")
        found = (
            self.moto.ask("GetRolePolicy", RoleName=self.role, PolicyName=POLICY).text("PolicyDocument")
            if POLICY in listed
            else None
        )
        self.moto.enforce(True)
        return None if found is None else httpx.QueryParams(f"d={found}")["d"]


@pytest.fixture
def scene(moto: MotoServer) -> Iterator[Scene]:
    made = Scene(moto)
    yield made
    made.client.close()
    moto.enforce(False)


@pytest.mark.claim(
    "a role's sessions are denied by date, shown by IAM and taken back: grade B", double=DOUBLE
)
def test_sessions_are_denied_by_date_and_let_in_again(scene: Scene) -> None:
    context = context_of(scene.ref)
    assert "every session of role" in scene.handler.dry_run(context)[0]
    assert scene.deny() is None
    begun = context.now()
    checks = run(scene.handler, context)
    assert grade(checks, tried_old=False, without=context.state["without"]) == "B"  # type: ignore[arg-type]
    until = denies_until(scene.deny())
    assert until is not None and begun <= until - 60 <= context.now()
    step = named(scene.handler, scene.ref, "deny")
    scene.handler.undo(step, context)
    assert scene.deny() is None
    scene.handler.undo(step, context)


@pytest.mark.claim(
    "a later deny is never moved back, and an undo puts back the one from before", double=DOUBLE
)
def test_a_later_deny_stands(scene: Scene) -> None:
    first, second = context_of(scene.ref), context_of(scene.ref)
    run(scene.handler, first)
    held = scene.deny()
    run(scene.handler, second, scene.handler.steps(scene.ref)[:1])
    second.state["until"] = float(second.state["until"]) - 3600  # type: ignore[arg-type]
    run(scene.handler, second, scene.handler.steps(scene.ref)[1:])
    assert scene.deny() == held
    later = context_of(scene.ref)
    run(scene.handler, later)
    step = named(scene.handler, scene.ref, "deny")
    with pytest.raises(StepFailedError, match="not ours any more"):
        scene.handler.undo(step, first)
    scene.handler.undo(step, later)
    assert denies_until(scene.deny()) == first.state["until"]


@pytest.mark.claim("a lost answer leads to no second policy and no failure", double=DOUBLE)
@pytest.mark.parametrize("fault", ["timeout_after", "503_after", "torn", "timeout_before"])
def test_a_lost_answer_is_looked_after(scene: Scene, fault: Any) -> None:
    context = context_of(scene.ref)
    run(scene.handler, context, scene.handler.steps(scene.ref)[:1])
    scene.faulty.after("PutRolePolicy", fault)
    run(scene.handler, context, scene.handler.steps(scene.ref)[1:])
    assert denies_until(scene.deny()) == context.state["until"]


@pytest.mark.claim("without one right at IAM the action is named", double=DOUBLE)
def test_one_right_less_is_named(moto: MotoServer) -> None:
    for action in ("GetRolePolicy", "PutRolePolicy"):
        scene = Scene(moto, less=action)
        with pytest.raises(StepFailedError, match=f"may not iam:{action}"):
            run(scene.handler, context_of(scene.ref))
        assert scene.deny() is None
        scene.client.close()


def test_a_shared_role_needs_two_people() -> None:
    with pytest.raises(ValidationError, match="two people"):
        Target(name="etl", classification="internal")
    assert Target(name="etl", classification="restricted").shared


def test_the_document_names_the_time_and_nothing_else_is_taken_for_one() -> None:
    document = session_deny(1_800_000_000.0)
    assert json.loads(document)["Statement"][0]["Condition"] == {
        "DateLessThan": {"aws:TokenIssueTime": "2027-01-15T08:00:00.000Z"}
    }
    assert denies_until(document) == 1_800_000_000.0
    for other in ("{}", "x", '{"Statement": []}', '{"Statement": [{"Effect": "Deny"}]}', None):
        assert denies_until(other) is None


@pytest.mark.claim(
    "a worker killed after every call leaves one dated deny, of the planned date", double=DOUBLE
)
def test_a_worker_killed_after_every_call(scene: Scene) -> None:
    context = context_of(scene.ref)
    checks = run(scene.handler, context, killed=True)
    assert grade(checks, tried_old=False, without=context.state["without"]) == "B"  # type: ignore[arg-type]
    assert denies_until(scene.deny()) == context.state["until"]
