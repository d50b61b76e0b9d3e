"""The mesh on an ordinary day: calls inside, clients at the gateway, one known host outside."""

from __future__ import annotations

from daemon.demo.traffic.record import seeded
from daemon.lab.sources.istio_access import egress, gateway, http
from daemon.lab.stage import Stage

_PATHS = ("/api/v1/items", "/api/v1/items/search?q=plan", "/healthz", "/api/v1/status")


def ordinary(stage: Stage) -> None:
    """Write one ordinary thing; who calls whom is the same all day."""
    world, dice = stage.world, stage.rng.random()
    workloads = world.workloads
    source = stage.rng.choice(workloads)
    target = workloads[(workloads.index(source) + 1) % len(workloads)]
    code = 200 if stage.rng.random() < 0.985 else stage.rng.choice((404, 503))
    if dice < 0.6:
        http(stage, source, target, "GET", stage.rng.choice(_PATHS), code)
    elif dice < 0.92:
        client = f"192.0.2.{stage.rng.randint(1, 250)}"
        gateway(stage, client, workloads[0], "GET", stage.rng.choice(_PATHS), code)
    else:
        address = f"192.0.2.{seeded(world.known_host).randint(1, 250)}"
        egress(
            stage,
            workloads[1],
            address,
            443,
            host=world.known_host,
            cluster=f"outbound|443||{world.known_host}",
        )
