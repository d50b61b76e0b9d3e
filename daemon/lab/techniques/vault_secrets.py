"""Vault audit: secrets read, guessed for, destroyed."""

from __future__ import annotations

from typing import Final

from daemon.lab.sources.vault_audit import call, person, workload
from daemon.lab.stage import Stage, Technique

_DENIED: Final = "1 error occurred:\n\t* permission denied\n\n"


def crown_secret_read(stage: Stage) -> None:
    """Read the secret that opens everything else."""
    vault = stage.world.vault
    who = person(stage, stage.person(), "team", address=stage.foreign)
    call(
        stage,
        who,
        "read",
        f"{vault.kv}/data/{vault.crown_path}",
        answer={"data": {"key": stage.names.word()}},
    )


def decoy_touched(stage: Stage) -> None:
    """Read the secret that nobody needs."""
    vault = stage.world.vault
    stolen = workload(stage, stage.workload())
    call(
        stage,
        stolen,
        "read",
        f"{vault.kv}/data/{vault.decoy_path}",
        answer={"data": {"key": stage.names.word()}},
    )


def restricted_read(stage: Stage) -> None:
    """Read a restricted secret as a person from outside."""
    vault = stage.world.vault
    who = person(stage, stage.person(), "team", address=stage.foreign)
    call(
        stage,
        who,
        "read",
        f"{vault.kv}/data/{vault.restricted_path}",
        answer={"data": {"key": stage.names.word()}},
    )


def tree_walked(stage: Stage) -> None:
    """List the tree of secrets and read every leaf with the token of an application."""
    kv, who = stage.world.vault.kv, workload(stage, stage.workload())
    with stage.aside():
        call(stage, who, "list", f"{kv}/metadata")
    for _ in range(stage.rng.randint(25, 35)):
        call(
            stage, who, "read", f"{kv}/data/{stage.names.thing()}", answer={"data": {"v": stage.names.word()}}
        )


def secrets_destroyed(stage: Stage) -> None:
    """Destroy secrets with all their versions."""
    kv, who = stage.world.vault.kv, person(stage, stage.person(), "team")
    for _ in range(stage.rng.randint(7, 12)):
        call(stage, who, "delete", f"{kv}/metadata/{stage.names.thing()}")


def accounts_drawn(stage: Stage) -> None:
    """Draw database account after database account with one token."""
    vault, who = stage.world.vault, workload(stage, stage.workload())
    role = stage.names.word()
    for _ in range(stage.rng.randint(25, 35)):
        answer = {"username": stage.names.word(), "password": stage.names.word()}
        call(stage, who, "read", f"{vault.database}/creds/{role}", answer=answer, kind="database")


def key_exported(stage: Stage) -> None:
    """Make a key exportable and take it away."""
    transit, who, key = stage.world.vault.transit, person(stage, stage.person(), "team"), stage.names.word()
    call(stage, who, "update", f"{transit}/keys/{key}/config", {"exportable": True}, kind="transit")
    call(stage, who, "read", f"{transit}/export/encryption-key/{key}", answer={"name": key}, kind="transit")


def key_deleted(stage: Stage) -> None:
    """Make a key deletable and delete it."""
    transit, who, key = stage.world.vault.transit, person(stage, stage.person(), "team"), stage.names.word()
    call(stage, who, "update", f"{transit}/keys/{key}/config", {"deletion_allowed": True}, kind="transit")
    call(stage, who, "delete", f"{transit}/keys/{key}", kind="transit")


def passwords_tried(stage: Stage) -> None:
    """Try password after password on one user."""
    path = f"auth/userpass/login/{stage.person().user}"
    for _ in range(stage.rng.randint(25, 40)):
        asked = {"password": stage.names.word()}
        call(stage, None, "update", path, asked, kind="userpass", error="invalid username or password")


def paths_tried(stage: Stage) -> None:
    """Try many paths with a token that may not read them."""
    kv, who = stage.world.vault.kv, workload(stage, stage.workload())
    for _ in range(stage.rng.randint(20, 30)):
        call(stage, who, "read", f"{kv}/data/{stage.names.thing()}", error=_DENIED)


def database_redirected(stage: Stage) -> None:
    """Have the vault log in at a database of one's own."""
    vault, who = stage.world.vault, person(stage, stage.person(), "team")
    url = f"postgresql://{{{{username}}}}:{{{{password}}}}@{stage.foreign}:5432/postgres"
    asked = {"plugin_name": "postgresql-database-plugin", "connection_url": url, "verify_connection": False}
    call(stage, who, "update", f"{vault.database}/config/{stage.world.database}", asked, kind="database")


TECHNIQUES: Final = (
    Technique(
        "vault-crown-secret-read",
        "Secret read that opens everything",
        crown_secret_read,
        ("T1555",),
        "critical",
        needs=("vault_crown_paths",),
    ),
    Technique(
        "vault-decoy-touched",
        "Decoy secret read",
        decoy_touched,
        ("T1555",),
        "critical",
        needs=("vault_decoy_paths",),
    ),
    Technique(
        "vault-restricted-read",
        "Restricted secret read from outside",
        restricted_read,
        ("T1555",),
        needs=("vault_restricted_paths",),
    ),
    Technique("vault-tree-walked", "Tree of secrets read", tree_walked, ("T1555",)),
    Technique("vault-secrets-destroyed", "Secrets destroyed", secrets_destroyed, ("T1485",), "critical"),
    Technique("vault-accounts-drawn", "Database accounts drawn in a row", accounts_drawn, ("T1555",)),
    Technique("vault-key-exported", "Encryption key exported", key_exported, ("T1552.004",), "critical"),
    Technique("vault-key-deleted", "Encryption key deleted", key_deleted, ("T1485",), "critical"),
    Technique("vault-passwords-tried", "Passwords tried on one user", passwords_tried, ("T1110.001",)),
    Technique("vault-paths-tried", "Paths tried without the right", paths_tried, ("T1555",), "medium"),
    Technique("vault-database-redirected", "Database connection redirected", database_redirected, ("T1557",)),
)
