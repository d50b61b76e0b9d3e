"""The stage of the loop test: the demo's play on real Kafka, API server, Envoy, Elasticsearch and OpenSearch.

Vault and PostgreSQL are the demo's own, which are real there as well.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator
from concurrent.futures import Future
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from parts.audit_webhook_kafka import NotConfirmedError
from parts.envoy import EnvoyPart
from parts.kafka import KafkaPart
from parts.kubernetes import KubernetesPart
from parts.loop_deeds import Cluster, Mesh, real_stages

from daemon.demo.audit_shipper import AuditShipper
from daemon.demo.error import DemoError, PartFailedError
from daemon.demo.pipe import Pipe
from daemon.demo.scene import Broker, Scene
from daemon.demo.traffic.record import ISTIO, KUBERNETES, Record

NAMESPACE: Final = "loop"
_CONFIRM_S: Final = 20.0
_BOOTSTRAP_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Reals:
    """The servers of the stack that the loop runs on, started; `targets` as the configuration names them."""

    kubernetes: KubernetesPart
    envoy: EnvoyPart
    targets: tuple[dict[str, Any], ...]


class LoopScene(Scene):
    """The demo's scene with its own real Kafka; counters ride in Kafka's commits as in production."""

    def __init__(self, seed: int, folder: Path, reals: Reals) -> None:
        super().__init__(seed, keep=folder)
        self._reals = reals
        self._gate = threading.Lock()
        self._shippers: list[AuditShipper] = []
        self._cluster = Cluster(reals.kubernetes, self.platform)
        self.stages = real_stages(self._cluster, Mesh(reals.envoy))

    async def prepare(self) -> None:
        """As the demo, and furnish the cluster and the SIEMs."""
        await super().prepare()
        await asyncio.to_thread(self._bootstrap)
        await asyncio.to_thread(self._cluster.furnish)

    @asynccontextmanager
    async def feeding(self, pipe: Pipe) -> AsyncIterator[None]:
        """The API server's webhook and both sidecars' logs go into the topics."""
        loop = asyncio.get_running_loop()

        def sink(batch: bytes) -> None:
            with self._gate:
                sent = asyncio.run_coroutine_threadsafe(_send(pipe, batch), loop)
                _confirmed(sent)

        logs = [self._reals.envoy.json_log(side) for side in ("client", "server")]
        self._shippers = [AuditShipper(log, pipe, topic=ISTIO) for log in logs]
        with self._reals.kubernetes.webhook.into(sink):
            tasks = [asyncio.create_task(shipper.run()) for shipper in self._shippers]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Let no batch and no line through; the API server waits with its batch and sends it again."""
        async with AsyncExitStack() as holding:
            for shipper in self._shippers:
                await holding.enter_async_context(shipper.held())
            await asyncio.to_thread(self._gate.acquire)
            try:
                yield
            finally:
                self._gate.release()

    def _bootstrap(self) -> None:
        """Install the templates as an operator does. Raises PartFailedError with the command's words."""
        words = ("siem", "bootstrap", "--apply", "--config", str(self.files.config))
        command = [sys.executable, "-m", "daemon", *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_BOOTSTRAP_S, check=False)
        if done.returncode:
            raise PartFailedError(f"davylamp siem bootstrap: {(done.stdout + done.stderr)[-1000:]}")

    def _new_broker(self) -> Broker:
        broker = KafkaPart(self.folder / "kafka")
        broker.fetch()
        return broker

    def _configured(self, document: dict[str, Any]) -> dict[str, Any]:
        kafka = {**document["kafka"], "counters": "commit_metadata"}
        forwarding = {"namespace": NAMESPACE, "targets": list(self._reals.targets)}
        return {**document, "kafka": kafka, "forwarding": forwarding}


async def _send(pipe: Pipe, batch: bytes) -> None:
    await pipe.send([Record(time.time(), KUBERNETES, batch)])


def _confirmed(sent: Future[None]) -> None:
    try:
        sent.result(_CONFIRM_S)
    except (DemoError, TimeoutError) as error:
        raise NotConfirmedError(f"the audit batch was not taken: {type(error).__name__}") from error
