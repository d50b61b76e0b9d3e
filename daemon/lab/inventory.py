"""What the operator of a lab's company would write into the inventory file (docs/inventory.md)."""

from __future__ import annotations

import yaml

from daemon.lab.world import World


def classes(world: World) -> dict[str, list[str]]:
    """Return class -> names: what is ordinary and what is precious at this company. No attacker is in it."""
    vault = world.vault
    data = f"{vault.kv}/data"
    return {
        "aws_own_accounts": [world.account],
        "aws_regions": [world.region],
        "aws_iac_roles": [f"arn:aws:iam::{world.account}:role/{world.iac_role}"],
        "aws_ci_roles": [f"arn:aws:iam::{world.account}:role/{world.ci_role}"],
        "aws_log_buckets": [world.log_bucket],
        "aws_data_buckets": [world.data_bucket],
        "kubernetes_ci": [world.ci.account],
        "kubernetes_data_namespaces": [world.data_namespace],
        "mesh_strict_namespaces": [world.data_namespace],
        "mesh_egress_hosts": [world.known_host],
        "mesh_data_workloads": [world.store.host],
        "vault_crown_paths": [f"{data}/{vault.crown_path}"],
        "vault_decoy_paths": [f"{data}/{vault.decoy_path}", f"{vault.kv}/metadata/{vault.decoy_path}"],
        "vault_restricted_paths": [f"{data}/{vault.restricted_path}"],
        "vault_backup": [login_name(world.backup.namespace, world.backup.name)],
        "vault_rotators": [login_name(world.rotation.namespace, world.rotation.name)],
    }


def login_name(namespace: str, account: str) -> str:
    """Return the display name that the vault gives a service account's login."""
    return f"kubernetes-{namespace}-{account}"


def document(world: World) -> str:
    """Return the inventory file."""
    return yaml.safe_dump(classes(world), sort_keys=True, width=110)
