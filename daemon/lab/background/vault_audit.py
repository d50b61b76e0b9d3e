"""The vault on an ordinary day: workloads log in and read what is theirs."""

from __future__ import annotations

from daemon.lab.sources.vault_audit import call, new_token, workload
from daemon.lab.stage import Stage


def ordinary(stage: Stage) -> None:
    """Write one ordinary thing; each workload stays at the address of its first pod."""
    vault, who = stage.world.vault, stage.workload()
    login = workload(stage, who, who.pods[0].address)
    dice = stage.rng.random()
    if dice < 0.3:
        asked = {"role": who.name, "jwt": stage.names.tail(9)}
        given = new_token(stage, login, login.policies)
        call(
            stage,
            None,
            "update",
            "auth/kubernetes/login",
            asked,
            kind="kubernetes",
            given=given,
            address=login.address,
        )
    elif dice < 0.7:
        answer = {"data": {"endpoint": stage.names.tail(9)}}
        call(stage, login, "read", f"{vault.kv}/data/{who.namespace}/{who.name}", answer=answer)
    else:
        answer = {"username": who.name, "password": stage.names.tail(20), "ttl": 600}
        call(
            stage, login, "read", f"{vault.database}/static-creds/{who.name}", answer=answer, kind="database"
        )
