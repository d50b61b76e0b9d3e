"""Whether this worker is still a member of the group in the generation in which it took a batch.

A worker that was frozen, or cut off, is put out of its group without hearing of it. What it holds may be
another's by then: it must neither write states over those of the new owner nor acknowledge what it read.
The group's coordinator is asked (a heartbeat of that generation), because no clock of ours can know.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final, Protocol, cast

import faust
from aiokafka.errors import (
    IllegalGenerationError,
    KafkaError,
    RebalanceInProgressError,
    UnknownMemberIdError,
    for_code,
)
from aiokafka.protocol.group import HeartbeatRequest

from daemon.roles.correlate.error import LostMembershipError

_PUT_OUT: Final = (IllegalGenerationError, UnknownMemberIdError)
_PAUSE_S: Final = 0.2


class Fence(Protocol):
    """Who may write."""

    def generation(self) -> int:
        """Return the generation that is ours as far as we know."""
        ...

    async def confirm(self, generation: int) -> None:
        """Return when the group says that we are a member of it. Raises LostMembershipError, TimeoutError."""
        ...


class GroupFence:
    """Asks the coordinator of the Faust app's group. `timeout_s` bounds the wait for one that is away."""

    def __init__(self, app: faust.App, timeout_s: float) -> None:
        self._app = app
        self._timeout_s = timeout_s

    def generation(self) -> int:
        """Return the generation of the last assignment."""
        return self._app.consumer_generation_id

    async def confirm(self, generation: int) -> None:
        """See `Fence`. While the group rebalances, its members still are: partitions move when it has."""
        thread = cast(Any, self._app.consumer)._thread
        async with asyncio.timeout(self._timeout_s):
            consumer = thread._ensure_consumer()
            while not await thread.call_thread(_confirmed, consumer, generation):  # noqa: ASYNC110 - no event
                await asyncio.sleep(_PAUSE_S)


async def _confirmed(consumer: Any, generation: int) -> bool:
    """Ask once; False when the coordinator is away, moves or loads. Runs in the consumer's own loop."""
    coordinator = consumer._coordinator
    if coordinator.generation != generation:
        raise LostMembershipError(f"generation {generation} is over")
    request = HeartbeatRequest(coordinator.group_id, generation, coordinator.member_id)
    try:
        code: int = (await coordinator._send_req(request)).error_code
    except KafkaError:
        return False
    error = for_code(code)
    if error in _PUT_OUT:
        raise LostMembershipError(f"the group went on without us after generation {generation}")
    return code == 0 or error is RebalanceInProgressError
