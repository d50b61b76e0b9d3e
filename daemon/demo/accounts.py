"""The conservation laws of a play: what was sent, what detect and forward say they did with it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from connectors.kafka.conservation import RECORDS_READ, between
from daemon.demo.daemon_child import DaemonChild
from daemon.demo.error import SceneError
from daemon.demo.offsets import until

_FORWARDED_S: Final = 60.0
_IN_FLIGHT: Final = "items:in_flight"


async def conservation(daemon: DaemonChild, sent: Mapping[tuple[str, int], int]) -> dict[str, Any]:
    """Return the counters of detect and forward with `violations`; waits for forward to catch up."""
    total = sum(sent.values())
    latest: dict[str, Any] = {}

    async def balanced() -> bool:
        try:
            detect = await asyncio.to_thread(daemon.status, "detect")
            forward = await asyncio.to_thread(daemon.status, "forward")
        except SceneError:
            return False
        latest.update(account(detect, forward, total))
        return not latest["violations"] and not any(dict(forward.get("lag") or {}).values())

    await until(balanced, _FORWARDED_S)
    return latest


def account(detect: Mapping[str, Any], forward: Mapping[str, Any], total: int) -> dict[str, Any]:
    """Return both roles' counters and every broken law; `total` records were confirmed by the broker."""
    read = detect.get("conservation") or {}
    delivered = forward.get("conservation") or {}
    violations = [*detect.get("violations", ()), *forward.get("violations", ())]
    seen = sum(int(counted.get(RECORDS_READ, 0)) for counted in read.values())
    if seen != total:
        violations.append(f"detect read {seen} records, {total} were sent")
    for target, streams in delivered.items():
        for source, counted in read.items():
            held = streams.get(source, {})
            broken = between(counted, held, int(held.get(_IN_FLIGHT, 0)))
            violations += [f"{source} to {target}: {law}" for law in broken]
    lost = {"detect": detect.get("lost_before_read") or {}, "forward": forward.get("lost_before_read") or {}}
    return {"detect": read, "forward": delivered, "lost_before_read": lost, "violations": violations}


def anything_lost(value: object) -> bool:
    """Return whether any count in `value` (nested objects of counts) is not nought."""
    if isinstance(value, Mapping):
        return any(anything_lost(inner) for inner in value.values())
    return bool(value)
