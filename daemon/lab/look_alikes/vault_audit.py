"""Vault audit: ordinary work that looks like an attack."""

from __future__ import annotations

from typing import Final

from daemon.lab.sources.vault_audit import call, new_token, person, workload
from daemon.lab.stage import Stage, Technique


def nightly_snapshot(stage: Stage) -> None:
    """The backup takes a snapshot of the storage."""
    call(stage, workload(stage, stage.world.backup), "read", "sys/storage/raft/snapshot")


def rotation_run(stage: Stage) -> None:
    """The rotation renews static accounts and an encryption key."""
    vault, who = stage.world.vault, workload(stage, stage.world.rotation)
    for _ in range(4):
        call(stage, who, "update", f"{vault.database}/rotate-role/{stage.names.word()}", kind="database")
    call(stage, who, "update", f"{vault.transit}/keys/{stage.names.word()}/rotate", kind="transit")


def password_mistyped(stage: Stage) -> None:
    """Someone mistypes the password twice, then logs in."""
    who = stage.person()
    path = f"auth/userpass/login/{who.user}"
    for _ in range(2):
        asked = {"password": stage.names.word()}
        call(
            stage,
            None,
            "update",
            path,
            asked,
            kind="userpass",
            error="invalid username or password",
            address=who.address,
        )
    login = person(stage, who, "team")
    call(
        stage,
        None,
        "update",
        path,
        {"password": "x"},
        kind="userpass",
        given=new_token(stage, login, login.policies),
        address=who.address,
    )


def wrong_path(stage: Stage) -> None:
    """A developer looks where he may not, three times."""
    who = person(stage, stage.person(), "team")
    for _ in range(3):
        path = f"{stage.world.vault.kv}/data/{stage.names.thing()}"
        call(stage, who, "read", path, error="1 error occurred:\n\t* permission denied\n\n")


def own_lease_ended(stage: Stage) -> None:
    """A workload ends its own lease and its own token."""
    who = workload(stage, stage.workload())
    lease = f"{stage.world.vault.database}/creds/{stage.names.word()}/{stage.names.tail(20)}"
    call(stage, who, "update", "sys/leases/revoke", {"lease_id": lease})
    call(stage, who, "update", "auth/token/revoke-self", kind="token")


def settings_read(stage: Stage) -> None:
    """An administrator looks at mounts and audit devices."""
    who = person(stage, stage.person(), stage.world.vault.admin_policy)
    for path in ("sys/mounts", "sys/audit", "sys/auth"):
        call(stage, who, "read", path)


LOOK_ALIKES: Final = (
    Technique(
        "vault-nightly-snapshot", "Snapshot by the backup", nightly_snapshot, why="the backup's own login"
    ),
    Technique(
        "vault-rotation-run", "Rotation of accounts and keys", rotation_run, why="the rotation's own login"
    ),
    Technique(
        "vault-password-mistyped", "Two wrong passwords", password_mistyped, why="two mistakes, usual address"
    ),
    Technique("vault-wrong-path", "Three denials", wrong_path, why="a handful"),
    Technique("vault-own-lease-ended", "Own lease ended", own_lease_ended, why="its own"),
    Technique(
        "vault-settings-read", "Mounts and devices read", settings_read, why="reads only, usual address"
    ),
)
