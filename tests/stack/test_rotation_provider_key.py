"""A provider's key in the vault's KV engine: OpenBao is real, the provider a double with faults."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from cluster_response.escrow import settings_for, tools_for
from cluster_response.key_provider import ADMIN, KeyProvider
from cluster_response.running import context_of, named, run
from pydantic import SecretStr

from config.secret import Secret
from connectors.rotation.kv_http_key import KvHttpKey
from connectors.rotation.kv_http_key import KvHttpKeyTarget as Target
from daemon.demo.parts.openbao import OpenBaoPart
from playbooks.ports import StepContext, StepFailedError
from playbooks.proof import grade
from playbooks.target import TargetRef

DOUBLE = "the provider: a small JSON API of keys"
FAULTS = ("503_after", "cut_after", "garbage_after", "503_before", "429")


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenBaoPart]:
    part = OpenBaoPart(tmp_path_factory.mktemp("vault"))
    part.start()
    part.call("POST", "sys/mounts/secret", {"type": "kv", "options": {"version": "2"}})
    yield part
    part.stop()


class Scene:
    """A provider with one key, which stands in the vault beside another field."""

    def __init__(self, vault: OpenBaoPart, provider: KeyProvider, without: str = "", **changes: Any) -> None:
        self.vault, self.provider = vault, provider
        name = f"maps-{secrets.token_hex(4)}"
        self.old = dict(provider.create(f"first of {name}"))
        held = {"id": self.old["id"], "secret": self.old["secret"], "zone": "eu"}
        vault.call("POST", f"secret/data/{name}", {"data": held})
        chosen = {"sessions": "none", **changes}
        self.target = Target(
            name=name,
            keys_url=f"{provider.url}/keys",
            probe_url=f"{provider.url}/me",
            bearer=Secret(value=SecretStr(ADMIN)),
            **chosen,
        )
        self.handler = KvHttpKey(
            {self.target.key: self.target}, tools_for(settings_for(vault, self.target, without=without))
        )
        self.ref = TargetRef("kv_http_key", "secret", name, "internal", "shop")

    def held(self) -> dict[str, str]:
        found: Any = self.vault.call("GET", f"secret/data/{self.target.name}")
        return {**found["data"]["data"], "version": found["data"]["metadata"]["version"]}

    def begun(self) -> StepContext:
        """Run the steps before the rotation."""
        context = context_of(self.ref)
        run(self.handler, context, self.handler.steps(self.ref)[:2])
        return context

    def rest(self, context: StepContext, first: str = "rotate") -> list[Any]:
        steps = self.handler.steps(self.ref)
        return run(self.handler, context, steps[[step.name for step in steps].index(first) :])


@pytest.fixture
def provider(request: pytest.FixtureRequest) -> Iterator[KeyProvider]:
    made = KeyProvider(honours_intent=getattr(request, "param", True))
    made.start()
    yield made
    made.stop()


@pytest.mark.claim(
    "a provider's key is replaced in the vault, then dead at the provider: grade A",
    double=DOUBLE,
    on=("vault",),
)
def test_a_key_is_replaced_and_dead(vault: OpenBaoPart, provider: KeyProvider) -> None:
    scene = Scene(vault, provider)
    context = context_of(scene.ref)
    assert "the old key is disabled" in scene.handler.dry_run(context)
    assert scene.held()["version"] == 1
    provider.slow_to_kill = 2
    assert grade(run(scene.handler, context)) == "A"
    held = scene.held()
    assert (held["version"], held["zone"]) == (2, "eu")
    assert provider.admits(held["secret"]) and not provider.admits(scene.old["secret"])
    assert scene.old["secret"] not in str(context.state) and held["secret"] not in str(context.state)
    retire = named(scene.handler, scene.ref, "retire")
    scene.handler.undo(retire, context)
    assert provider.admits(scene.old["secret"])


@pytest.mark.claim(
    "whatever answer a provider loses, one new key is left and the vault serves it",
    double=DOUBLE,
    on=("vault",),
)
@pytest.mark.parametrize("provider", [True, False], indirect=True, ids=["intent", "no_intent"])
@pytest.mark.parametrize(("method", "fault"), [*(("POST", one) for one in FAULTS), ("PATCH", "503_after")])
def test_a_lost_answer_leaves_no_orphan(
    vault: OpenBaoPart, provider: KeyProvider, method: str, fault: Any
) -> None:
    scene = Scene(vault, provider)
    context = scene.begun()
    provider.faults[method] = fault
    run(
        scene.handler,
        context,
        [named(scene.handler, scene.ref, name) for name in ("rotate", "new_accepted", "retire")],
    )
    held = scene.held()
    active = {key["id"] for key in provider.keys.values() if key["active"]}
    assert active == {held["id"]}
    assert set(provider.keys) == {held["id"], scene.old["id"]}


@pytest.mark.claim(
    "a secret that somebody else writes at the same time is never overwritten", double=DOUBLE, on=("vault",)
)
def test_a_lost_check_and_set_is_looked_after(vault: OpenBaoPart, provider: KeyProvider) -> None:
    scene = Scene(vault, provider)
    context = scene.begun()
    make = provider.create
    path = f"secret/data/{scene.target.name}"

    def meanwhile(intent: str) -> dict[str, Any]:
        provider.create = make  # type: ignore[method-assign]
        other = {"id": scene.old["id"], "secret": scene.old["secret"], "zone": "us"}
        vault.call("POST", path, {"data": other})
        return make(intent)

    provider.create = meanwhile  # type: ignore[method-assign]
    scene.rest(context)
    held = scene.held()
    assert (held["zone"], held["version"]) == ("us", 3)
    assert set(provider.keys) == {held["id"], scene.old["id"]}


@pytest.mark.claim(
    "a key that somebody else made is never taken for an orphan of ours", double=DOUBLE, on=("vault",)
)
def test_a_foreign_key_is_left_alone(vault: OpenBaoPart, provider: KeyProvider) -> None:
    scene = Scene(vault, provider)
    context = scene.begun()
    other = provider.create("somebody else")
    rotate = named(scene.handler, scene.ref, "rotate")
    with pytest.raises(StepFailedError, match=f"key {other['id']} appeared, and is not ours"):
        run(scene.handler, context, [rotate])
    assert provider.admits(other["secret"])
    context.attempt = 2
    with pytest.raises(StepFailedError, match=f"key {other['id']} appeared, and is not ours"):
        scene.handler.call(rotate, context)
    assert set(provider.keys) == {scene.old["id"], other["id"]}


@pytest.mark.claim(
    "in orderly mode the old key is retired only after it rested, and is told as used",
    double=DOUBLE,
    on=("vault",),
)
def test_a_stubborn_consumer_is_waited_for(vault: OpenBaoPart, provider: KeyProvider) -> None:
    scene = Scene(vault, provider, quiet_s=1.5)
    context = context_of(scene.ref)
    context.mode = "orderly"
    steps = scene.handler.steps(scene.ref)
    checks = run(scene.handler, context, steps[:4])
    assert provider.admits(scene.old["secret"])
    with pytest.raises(StepFailedError, match="the old key was used 0 s ago") as error:
        scene.handler.call(steps[4], context)
    assert error.value.retry
    assert provider.keys[scene.old["id"]]["active"]
    scene.handler.tools.sleep(1.6)
    assert grade(checks + scene.rest(context, "consumers")) == "A"


@pytest.mark.claim(
    "a provider that takes any key, or whose sessions are unknown, gives no grade A",
    double=DOUBLE,
    on=("vault",),
)
def test_what_cannot_be_proven_is_told(vault: OpenBaoPart, provider: KeyProvider) -> None:
    scene = Scene(vault, provider, sessions="unknown")
    context = context_of(scene.ref)
    checks = run(scene.handler, context)
    assert context.state["without"] == ["sessions_gone"]
    assert grade(checks, without=["sessions_gone"]) == "B"
    scene = Scene(vault, provider)
    provider.admits = lambda _bearer: True  # type: ignore[method-assign]
    with pytest.raises(StepFailedError, match="takes a random secret"):
        run(scene.handler, context_of(scene.ref))
    assert scene.held()["version"] == 1


@pytest.mark.claim(
    "each capability of the policy is needed, and its lack is named before anything is done",
    double=DOUBLE,
    on=("vault",),
)
def test_one_capability_less_is_named(vault: OpenBaoPart, provider: KeyProvider) -> None:
    for line in ("secret/data/", "/encrypt/", "/decrypt/"):
        scene = Scene(vault, provider, without=line)
        with pytest.raises(StepFailedError, match=f"the vault's policy lacks .*{line}"):
            run(scene.handler, context_of(scene.ref))
        assert scene.held()["version"] == 1
    assert not [key for key in provider.keys.values() if not key["active"]]


@pytest.mark.claim(
    "a worker killed after every call leaves one new key, and the old one dead", double=DOUBLE, on=("vault",)
)
def test_a_worker_killed_after_every_call(vault: OpenBaoPart, provider: KeyProvider) -> None:
    scene = Scene(vault, provider)
    assert grade(run(scene.handler, context_of(scene.ref), killed=True)) == "A"
    held = scene.held()
    assert (held["version"], provider.made) == (2, 2)
    assert provider.admits(held["secret"]) and not provider.admits(scene.old["secret"])
