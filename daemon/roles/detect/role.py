"""The detect role: raw topics in; findings, matches, flows and dead letters out."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from aiokafka.structs import TopicPartition

from config.settings import Settings
from connectors.kafka.batch import Lane
from connectors.kafka.batch_consumer import BatchConsumer
from connectors.kafka.checkpoint_file import store_for
from connectors.kafka.conservation import detect_violations
from connectors.kafka.metrics import ConservationCollector, Standing, by_source, losses
from connectors.kafka.producer import ConfirmedProducer
from connectors.sources.istio_configured import configured
from daemon.garbage import settle
from daemon.holding_metrics import HitsCollector
from daemon.live_rules import LiveRules
from daemon.reloading_rules import StreamRules
from daemon.roles.detect.application import application
from daemon.roles.detect.canaries import canary_sender
from daemon.roles.detect.dead_watch import DeadWatch
from daemon.roles.detect.heartbeat import Heartbeat
from daemon.roles.detect.live import DetectRules
from daemon.roles.detect.metrics import EvaluationErrorsCollector
from daemon.roles.detect.pulse import reread_from
from daemon.roles.detect.repeated import RepeatedIds
from daemon.roles.detect.stage import DetectStage
from daemon.roles.kafka_health import KafkaHealth
from daemon.roles.kafka_topics import topics_made
from daemon.runtime import Runtime

GROUP = "davylamp-detect"
_LEAVE_S = 1.5


async def run(settings: Settings, runtime: Runtime) -> None:
    """Detect until `runtime.stop` is set; waits for brokers that are away. Raises what ends the consumer."""
    health = KafkaHealth(runtime.health)
    detect = _Detect(settings, runtime, health)
    if not await topics_made(settings, runtime.stop, health.part("admin")):
        return
    app = application(settings.kafka.brokers, detect.work)
    app.finalize()
    await app.start()
    try:
        if app.work is not None:
            await app.work
    finally:
        await app.stop()


class _Detect:
    """The parts of the role, wired."""

    def __init__(self, settings: Settings, runtime: Runtime, health: KafkaHealth) -> None:
        self._runtime = runtime
        self._kinds = settings.kafka.topics.kinds()
        self._producer = ConfirmedProducer(settings.kafka, health.part("producer"))
        sources = {topic: configured(kind, settings.istio) for topic, kind in self._kinds.items()}
        rules = StreamRules(settings.detection)
        seen = rules.look()
        self._live = LiveRules(rules, sources.values())
        self.stage = DetectStage(
            source_of=sources,
            engine=self._live.engine,
            send=self._producer.send_all,
            repeated=RepeatedIds(settings.detection.repeated_ids),
            clock=runtime.clock,
            max_record_bytes=settings.detection.max_record_bytes,
            gate=rules.gate,
            flood_limit=settings.detection.flood_per_hour,
        )
        lane = Lane("events", tuple(self._kinds), self.stage, settings.detection.batch_records)
        self.consumer = BatchConsumer(
            kafka=settings.kafka,
            group=GROUP,
            lanes=(lane,),
            store=store_for(settings, GROUP),
            report=health.part("consumer"),
            stop=runtime.stop,
            clock=runtime.clock,
            assigned=self._assigned,
            reread=reread_from,
            stop_timeout_s=settings.operation.stop_timeout_s * 0.4,
        )
        self.stage.counters_of = self._counters
        self._canaries = canary_sender(
            settings, self._kinds, self.consumer, self._producer, runtime.clock, runtime.registry
        )
        if self._canaries is not None:
            self.stage.canaries = self._canaries.gate
        self._dead = DeadWatch(settings.kafka, self.stage.dead, health.part("verdicts"))
        settle()
        self._heartbeat = Heartbeat(runtime.worker, self._kinds, self.consumer, self.stage, self._producer)
        runtime.registry.register(ConservationCollector("detect", lambda: {"": self.standings()}))
        runtime.registry.register(EvaluationErrorsCollector(lambda: self.stage.evaluation_errors))
        runtime.registry.register(HitsCollector("detect", lambda: self.stage.hits.counts))
        runtime.status = self.status
        runtime.reloading.add(DetectRules(rules, self._live, self.stage), seen)

    async def work(self) -> None:
        """Consume, beat and send canaries until stopped."""
        beside = [asyncio.create_task(self._heartbeat.run()), asyncio.create_task(self._dead.run())]
        if self._canaries is not None:
            beside.append(asyncio.create_task(self._canaries.run()))
        try:
            await self._dead.ready()
            await self.consumer.run()
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
            await self._producer.stop(_LEAVE_S)

    def standings(self) -> Mapping[TopicPartition, Standing]:
        """Return what is counted of each owned partition."""
        return {
            tp: Standing(self._kinds[tp.topic], place.checkpoint.counters, self.consumer.lag(tp))
            for tp, place in self.consumer.places.items()
        }

    def status(self) -> dict[str, object]:
        """Return the role's part of `davylamp status`: counts by source, broken laws, losses, lag."""
        standings = self.standings()
        counted = by_source(standings)
        return {
            "conservation": counted,
            "violations": _violations(counted),
            "lost_before_read": losses(standings),
            "lag": {f"{tp.topic}/{tp.partition}": standing.lag for tp, standing in standings.items()},
            "evaluation_errors": dict(self.stage.evaluation_errors),
            "exception_hits": dict(self.stage.hits.counts),
            "dead_credentials": self._dead.status(),
            "rules_refused": len(self._live.engine.ruleset.refusals),
        }

    def _counters(self, tp: TopicPartition) -> Mapping[str, int]:
        return self.consumer.places[tp].checkpoint.counters

    def _assigned(self) -> None:
        self._runtime.health.started = True


def _violations(counted: Mapping[str, Mapping[str, int]]) -> Sequence[str]:
    return [
        f"{kind}: {broken}" for kind, counters in counted.items() for broken in detect_violations(counters)
    ]
