"""Vault audit: the vault itself is taken over, blinded or stopped."""

from __future__ import annotations

from typing import Final

from daemon.lab.sources.vault_audit import Login, call, new_token, person, root, workload
from daemon.lab.stage import Stage, Technique


def _administrator(stage: Stage, address: str = "") -> Login:
    """Return the stolen token of someone who may administer the vault."""
    return person(stage, stage.person(), stage.world.vault.admin_policy, address=address)


def audit_removed(stage: Stage) -> None:
    """Look which audit devices there are and remove one."""
    who = _administrator(stage, stage.foreign)
    with stage.aside():
        call(stage, who, "read", "sys/audit")
    call(stage, who, "delete", f"sys/audit/{stage.names.word()}")


def sealed(stage: Stage) -> None:
    """Seal the vault; the entry of the request is the last one."""
    call(stage, _administrator(stage), "update", "sys/seal", answered=False)


def stepped_down(stage: Stage) -> None:
    """Tell the active node to give up."""
    call(stage, _administrator(stage), "update", "sys/step-down", answered=False)


def root_token_used(stage: Stage) -> None:
    """Read secrets with a root token."""
    who = root(stage)
    for _ in range(3):
        path = f"{stage.world.vault.kv}/data/{stage.names.thing()}"
        call(stage, who, "read", path, answer={"data": {"value": stage.names.word()}})


def root_generated(stage: Stage) -> None:
    """Begin to generate a new root token, without any login."""
    answer = {"started": True, "progress": 0, "required": 3, "complete": False}
    call(stage, None, "update", "sys/generate-root/attempt", {"pgp_key": ""}, answer)


def root_token_made(stage: Stage) -> None:
    """Have a token with the root policy made."""
    who = person(stage, stage.person(), "root")
    path = "auth/token/create"
    call(
        stage,
        who,
        "update",
        path,
        {"policies": ["root"]},
        kind="token",
        given=new_token(stage, who, ("root",)),
    )


def rekeyed(stage: Stage) -> None:
    """Begin to make new unseal keys."""
    call(
        stage,
        None,
        "update",
        "sys/rekey/init",
        {"secret_shares": 1, "secret_threshold": 1},
        {"started": True},
    )


def raw_storage(stage: Stage) -> None:
    """Read below the barrier, past all policies."""
    who = _administrator(stage)
    call(stage, who, "list", "sys/raw/logical")
    call(stage, who, "read", f"sys/raw/logical/{stage.names.word()}")


def replicated(stage: Stage) -> None:
    """Let a second vault of one's own copy everything."""
    who = _administrator(stage)
    call(stage, who, "update", "sys/replication/performance/primary/enable")
    call(
        stage,
        who,
        "update",
        "sys/replication/performance/primary/secondary-token",
        {"id": stage.names.word()},
    )


def snapshot_taken(stage: Stage) -> None:
    """Download the whole storage."""
    call(stage, _administrator(stage), "read", "sys/storage/raft/snapshot")


def snapshot_restored(stage: Stage) -> None:
    """Put another storage in the place of this one."""
    call(stage, _administrator(stage), "update", "sys/storage/raft/snapshot-force")


def mount_disabled(stage: Stage) -> None:
    """Remove a secrets engine with everything in it."""
    who = _administrator(stage)
    call(stage, who, "delete", f"sys/mounts/{stage.world.vault.kv}")


def leases_forced(stage: Stage) -> None:
    """Forget leases without ending the accounts behind them."""
    who = _administrator(stage)
    call(stage, who, "update", f"sys/leases/revoke-force/{stage.world.vault.database}/creds")


def leases_revoked(stage: Stage) -> None:
    """End every lease of the databases at once."""
    who = _administrator(stage)
    call(stage, who, "update", f"sys/leases/revoke-prefix/{stage.world.vault.database}/creds")


def plugin_registered(stage: Stage) -> None:
    """Put a program of one's own into the catalogue."""
    who, name = _administrator(stage), stage.names.word()
    asked = {"command": name, "sha256": stage.names.digits(12), "type": "secret"}
    call(stage, who, "update", f"sys/plugins/catalog/secret/{name}", asked)


def login_method_added(stage: Stage) -> None:
    """Add a login method with users of one's own."""
    who, name = _administrator(stage), stage.names.word()
    call(stage, who, "update", f"sys/auth/{name}", {"type": "userpass"})
    asked = {"password": stage.names.word(), "token_policies": [stage.world.vault.admin_policy]}
    call(stage, who, "update", f"auth/{name}/users/{stage.names.word()}", asked, kind="userpass")


def policy_of_everything(stage: Stage) -> None:
    """Write a policy that allows everything everywhere."""
    who = _administrator(stage)
    text = 'path "*" { capabilities = ["create","read","update","delete","list","sudo"] }'
    call(stage, who, "update", f"sys/policies/acl/{stage.names.word()}", {"policy": text})


def role_for_everyone(stage: Stage) -> None:
    """Let every service account of the cluster take a login role."""
    who = _administrator(stage)
    asked = {
        "bound_service_account_names": ["*"],
        "bound_service_account_namespaces": ["*"],
        "token_policies": [stage.world.vault.admin_policy],
    }
    call(stage, who, "update", f"auth/kubernetes/role/{stage.names.word()}", asked, kind="kubernetes")


def token_in_two_places(stage: Stage) -> None:
    """Use the token of a running pod from the internet at the same time."""
    owner = stage.workload()
    own = workload(stage, owner)
    path = f"{stage.world.vault.kv}/data/{owner.namespace}/{owner.name}"
    for _ in range(4):
        with stage.aside():
            call(stage, own, "read", path)
        call(stage, own, "read", path, address=stage.foreign)


TECHNIQUES: Final = (
    Technique("vault-audit-removed", "Audit device removed", audit_removed, ("T1685.002",), "critical"),
    Technique("vault-sealed", "Vault sealed", sealed, ("T1489",), "critical"),
    Technique("vault-stepped-down", "Active node told to step down", stepped_down, ("T1489",)),
    Technique("vault-root-token-used", "Root token used", root_token_used, ("T1078",), "critical"),
    Technique("vault-root-generated", "New root token begun", root_generated, ("T1098",), "critical"),
    Technique(
        "vault-root-token-made", "Token with the root policy made", root_token_made, ("T1098",), "critical"
    ),
    Technique("vault-rekeyed", "New unseal keys begun", rekeyed, ("T1098",), "critical"),
    Technique("vault-raw-storage", "Storage read below the barrier", raw_storage, ("T1555",), "critical"),
    Technique("vault-replicated", "Replication to another vault", replicated, ("T1537",), "critical"),
    Technique(
        "vault-snapshot-taken", "Storage downloaded by a person", snapshot_taken, ("T1003",), "critical"
    ),
    Technique("vault-snapshot-restored", "Storage replaced", snapshot_restored, ("T1485",), "critical"),
    Technique("vault-mount-disabled", "Secrets engine removed", mount_disabled, ("T1485",), "critical"),
    Technique(
        "vault-leases-forced", "Leases forgotten, accounts left", leases_forced, ("T1531",), "critical"
    ),
    Technique(
        "vault-leases-revoked", "All leases of the databases ended", leases_revoked, ("T1531",), "critical"
    ),
    Technique("vault-plugin-registered", "Program put into the catalogue", plugin_registered, ("T1505",)),
    Technique("vault-login-method-added", "Login method added", login_method_added, ("T1556",)),
    Technique(
        "vault-policy-of-everything", "Policy that allows everything", policy_of_everything, ("T1098",)
    ),
    Technique(
        "vault-role-for-everyone", "Login role for every service account", role_for_everyone, ("T1098",)
    ),
    Technique(
        "vault-token-in-two-places", "Token of a pod used outside", token_in_two_places, ("T1550.001",)
    ),
)
