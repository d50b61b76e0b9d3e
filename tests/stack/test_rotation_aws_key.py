"""An IAM access key rotated through the vault: OpenBao is real, AWS is moto's double."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from cluster_response.escrow import settings_for, tools_for
from cluster_response.faulty import Faulty
from cluster_response.moto_server import ACCOUNT_ID, MotoServer
from cluster_response.running import context_of, run

from connectors.aws.account import Account
from connectors.aws.client import AwsClient, Credentials
from connectors.aws.error import AwsRefusedError
from connectors.aws.iam import Iam
from connectors.aws.session_deny import POLICY
from connectors.rotation.aws_iam_access_key import AwsIamAccessKey, IamUser, iam_policy
from connectors.rotation.aws_iam_access_key import AwsIamAccessKeyTarget as Target
from connectors.vault.secret_text import SecretText
from daemon.demo.parts.openbao import OpenBaoPart
from playbooks.debt import old_credential
from playbooks.ports import StepFailedError
from playbooks.proof import grade
from playbooks.target import TargetRef

DOUBLE = (
    "moto: IAM and STS; lets inactive keys in, knows no aws:TokenIssueTime, judges policies by action alone"
)


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenBaoPart]:
    part = OpenBaoPart(tmp_path_factory.mktemp("vault"))
    part.start()
    part.call("POST", "sys/mounts/secret", {"type": "kv", "options": {"version": "2"}})
    yield part
    part.stop()


@pytest.fixture(scope="module")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MotoServer]:
    server = MotoServer(tmp_path_factory.mktemp("moto"))
    server.start()
    yield server
    server.stop()


@dataclass
class Scene:
    """A user whose key stands in the vault, and our own user with exactly the declared policy."""

    vault: OpenBaoPart
    moto: MotoServer
    name: str
    old: Credentials
    target: Target
    handler: AwsIamAccessKey
    faulty: Faulty

    @property
    def ref(self) -> TargetRef:
        return TargetRef(self.target.kind, "secret", self.name, "internal", "data")

    def served(self) -> tuple[Credentials, dict[str, str]]:
        data: Any = self.vault.call("GET", f"secret/data/{self.name}")
        held = data["data"]["data"]
        return Credentials(held["access_key_id"], SecretText(held["secret_access_key"])), held

    def keys(self) -> dict[str, bool]:
        self.moto.enforce(False)
        listed = self.moto.ask("ListAccessKeys", UserName=self.name).members("AccessKeyMetadata")
        self.moto.enforce(True)
        return {one.text("AccessKeyId"): one.text("Status") == "Active" for one in listed}

    def works(self, credentials: Credentials) -> bool:
        try:
            return bool(Iam(self.moto.client, lambda: credentials).whoami())
        except AwsRefusedError:
            return False


class Wired(AwsIamAccessKey):
    """The handler with one transport for all calls to AWS."""

    faulty: Faulty

    def provider(self, target: Target) -> IamUser:
        endpoints: Any = {"iam": target.account.iam_endpoint, "sts": target.account.sts_endpoint}
        return IamUser(target, AwsClient(endpoints, target.account.region, transport=self.faulty))


@pytest.fixture
def scene(vault: OpenBaoPart, moto: MotoServer) -> Iterator[Scene]:
    made = built(vault, moto)
    yield made
    made.faulty.close()
    moto.enforce(False)


def built(
    vault: OpenBaoPart, moto: MotoServer, *, less: str = "", without: str = "", **changes: Any
) -> Scene:
    moto.enforce(False)
    name, old = moto.user()
    held = {"access_key_id": old.access_key_id, "secret_access_key": old.secret.reveal(), "bucket": "lake"}
    vault.call("POST", f"secret/data/{name}", {"data": held})
    settled = {"retire": "delete", "refused_s": 3.1, **changes}
    blank = Target(name=name, account_id=ACCOUNT_ID, classification="internal", **settled)
    policy: Any = iam_policy(blank)
    policy["Statement"][0]["Resource"] = "*"
    if less:
        policy["Statement"][0]["Action"].remove(f"iam:{less}")
    _, ours = moto.user(policy)
    account: Account = moto.account(ours)
    target = blank.model_copy(update={"account": account})
    handler = Wired({target.key: target}, tools_for(settings_for(vault, target, without=without)))
    handler.faulty = Faulty(httpx.HTTPTransport(verify=False))
    moto.enforce(True)
    return Scene(vault, moto, name, old, target, handler, handler.faulty)


@pytest.mark.claim(
    "an IAM key is replaced in the vault, the old one is refused by signature check: grade A",
    double=DOUBLE,
    on=("vault",),
)
def test_a_key_is_replaced_and_dead(scene: Scene) -> None:
    context = context_of(scene.ref)
    lines = scene.handler.dry_run(context)
    assert lines[0].startswith(f"key {scene.old.access_key_id} at aws sts of {ACCOUNT_ID} (not known")
    assert list(scene.keys()) == [scene.old.access_key_id]
    checks = run(scene.handler, context)
    assert grade(checks) == "A"
    new, held = scene.served()
    assert scene.works(new) and not scene.works(scene.old)
    assert scene.keys() == {new.access_key_id: True}
    assert held["bucket"] == "lake"
    assert scene.moto.enforce(False) is None
    deny = scene.moto.ask("GetUserPolicy", UserName=scene.name, PolicyName=POLICY).text("PolicyDocument")
    assert "TokenIssueTime" in deny
    old = old_credential(scene.ref, context.state, 0)
    assert old.handles == (("access_key", scene.old.access_key_id),), "a later use of it can be seen"
    text = str(context.state) + str([check.to_json() for check in checks])
    assert scene.old.secret.reveal() not in text and new.secret.reveal() not in text


@pytest.mark.claim(
    "an old key that is only made inactive is told as still taken where it is", double=DOUBLE, on=("vault",)
)
def test_an_inactive_key_that_works_is_no_proof(vault: OpenBaoPart, moto: MotoServer) -> None:
    scene = built(vault, moto, retire="disable")
    context = context_of(scene.ref)
    with pytest.raises(StepFailedError, match="the old key is still taken"):
        run(scene.handler, context)
    assert scene.keys()[scene.old.access_key_id] is False
    retire = next(step for step in scene.handler.STEPS if step.name == "retire")
    scene.handler.undo(retire, context)
    assert scene.keys()[scene.old.access_key_id] is True


@pytest.mark.claim(
    "whatever answer is lost, one new key is left, and it is the one in the vault",
    double=DOUBLE,
    on=("vault",),
)
@pytest.mark.parametrize(
    ("action", "fault"),
    [
        ("CreateAccessKey", "timeout_after"),
        ("CreateAccessKey", "503_after"),
        ("CreateAccessKey", "torn"),
        ("CreateAccessKey", "429"),
        ("ListAccessKeys", "timeout_before"),
    ],
)
def test_a_lost_answer_leaves_no_orphan(scene: Scene, action: str, fault: Any) -> None:
    context = context_of(scene.ref)
    steps = scene.handler.steps(scene.ref)
    run(scene.handler, context, steps[:2])
    rotate = steps[2]
    scene.faulty.after(action, fault)
    run(scene.handler, context, [rotate])
    new, _ = scene.served()
    assert set(scene.keys()) == {scene.old.access_key_id, new.access_key_id}
    assert scene.works(new)


@pytest.mark.claim("two workers at once leave one new key", double=DOUBLE, on=("vault",))
def test_two_workers_leave_one_new_key(scene: Scene) -> None:
    contexts = [context_of(scene.ref), context_of(scene.ref)]
    steps = scene.handler.steps(scene.ref)
    for context in contexts:
        run(scene.handler, context, steps[:2])
    for context in contexts:
        run(scene.handler, context, [steps[2]])
    assert contexts[0].state["new_id"] == contexts[1].state["new_id"]
    assert len(scene.keys()) == 2


@pytest.mark.claim(
    "a worker that died between the new key and the vault leaves an orphan, which goes",
    double=DOUBLE,
    on=("vault",),
)
def test_the_orphan_of_a_dead_worker_goes(scene: Scene) -> None:
    context = context_of(scene.ref)
    steps = scene.handler.steps(scene.ref)
    run(scene.handler, context, steps[:2])
    scene.moto.enforce(False)
    orphan = scene.moto.ask("CreateAccessKey", UserName=scene.name).text("AccessKeyId")
    scene.moto.enforce(True)
    with pytest.raises(StepFailedError, match=f"key {orphan} appeared, and is not ours"):
        run(scene.handler, context, [steps[2]])
    context.attempt = 2
    scene.handler.call(steps[2], context)
    left = scene.keys()
    assert orphan not in left
    assert len(left) == 2


@pytest.mark.claim(
    "without one right at AWS or at the vault it ends before the old key is touched, by name",
    double=DOUBLE,
    on=("vault",),
)
def test_one_right_less_is_named(vault: OpenBaoPart, moto: MotoServer) -> None:
    for action in ("ListAccessKeys", "UpdateAccessKey", "DeleteAccessKey", "CreateAccessKey"):
        scene = built(vault, moto, less=action)
        with pytest.raises(StepFailedError, match=f"may not iam:{action}"):
            run(scene.handler, context_of(scene.ref))
        assert list(scene.keys()) == [scene.old.access_key_id]
    for line, lacking in (
        ("secret/data/", "read on secret/data/"),
        ("/decrypt/", "update on transit/decrypt/"),
    ):
        scene = built(vault, moto, without=line)
        with pytest.raises(StepFailedError, match=lacking):
            run(scene.handler, context_of(scene.ref))
        assert scene.works(scene.old)


@pytest.mark.claim(
    "a user with two keys, or a key that is not in the vault, is refused by name",
    double=DOUBLE,
    on=("vault",),
)
def test_no_room_is_named(scene: Scene) -> None:
    scene.moto.enforce(False)
    second = scene.moto.ask("CreateAccessKey", UserName=scene.name).text("AccessKeyId")
    scene.moto.enforce(True)
    with pytest.raises(StepFailedError, match=f"no room for a new key: {second} must go first"):
        run(scene.handler, context_of(scene.ref))
    scene.vault.call(
        "POST",
        f"secret/data/{scene.name}",
        {"data": {"access_key_id": "AKIAOTHER", "secret_access_key": "x"}},
    )
    with pytest.raises(StepFailedError, match="none that works at the provider"):
        run(scene.handler, context_of(scene.ref))


@pytest.mark.claim(
    "a worker killed after every call leaves one new key, and the old one dead", double=DOUBLE, on=("vault",)
)
def test_a_worker_killed_after_every_call(scene: Scene) -> None:
    assert grade(run(scene.handler, context_of(scene.ref), killed=True)) == "A"
    new, _ = scene.served()
    assert scene.keys() == {new.access_key_id: True}
    assert not scene.works(scene.old)
