"""Flow records into first-seen baselines, one state a subject; pulses to the watch over sources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import orjson

from daemon.roles.correlate.error import MessageFormatError
from daemon.roles.correlate.evaluation import Evaluation, Record, States, Write, decode, text_key
from daemon.roles.correlate.metrics import Metrics
from daemon.roles.correlate.pulses import PulseBatch, PulseEvaluator
from detectors.anomaly.first_seen import MODELS, observe
from detectors.anomaly.flow import FlowFormatError
from detectors.event import Fields


class FlowEvaluator:
    """Evaluates `davylamp.flows`. `learning_s` is the learning period in seconds of event time.

    `topics` is raw topic -> source kind: what the pulses are about.
    """

    def __init__(self, learning_s: float, metrics: Metrics, topics: Mapping[str, str] | None = None) -> None:
        self._learning_s = learning_s
        self._metrics = metrics
        self._pulses = PulseEvaluator(topics or {}, learning_s, metrics)

    def evaluate(self, records: Sequence[Record], states: States) -> Evaluation:
        """Evaluate a batch; see `Evaluator`."""
        evaluation = Evaluation()
        pulses = self._pulses.begin(states)
        current: dict[tuple[int, str], Fields | None] = {}
        changed: dict[tuple[int, str], Fields] = {}
        for record in records:
            try:
                self._take(record, states, current, changed, evaluation, pulses)
            except MessageFormatError as error:
                self._metrics.rejected.labels(error.reason).inc()
        evaluation.writes = [
            Write(key, orjson.dumps(state), partition) for (partition, key), state in sorted(changed.items())
        ]
        pulses.finish(evaluation)
        return evaluation

    def forget(self) -> None:
        """Baselines keep nothing beside the states; the watch over sources is told again."""
        self._pulses.forget()

    def _take(
        self,
        record: Record,
        states: States,
        current: dict[tuple[int, str], Fields | None],
        changed: dict[tuple[int, str], Fields],
        evaluation: Evaluation,
        pulses: PulseBatch,
    ) -> None:
        document = decode(record)
        match document.get("kind"):
            case "heartbeat":
                pulses.take_heartbeat(record, document, evaluation)
                return
            case "pulse":
                pulses.take_pulse(record, document)
                return
            case _:
                pass
        place = record.partition, text_key(record)
        model = MODELS.get(str(document.get("model")))
        if model is None:
            raise MessageFormatError("unknown_model")
        if place not in current:
            value = states.read(place[1], record.partition)
            current[place] = None if value is None else orjson.loads(value)
        try:
            step = observe(model, current[place], document, self._learning_s)
        except FlowFormatError as error:
            raise MessageFormatError("flow") from error
        self._metrics.flows.labels(model.name).inc()
        for name in ("learning", "no_baseline"):
            self._metrics.silent.labels(name).inc(step.counts.get(name, 0))
        if "overflow" in step.counts:
            self._metrics.report_overflow("baseline", model.name, step.counts["overflow"])
        evaluation.findings.extend(step.findings)
        current[place] = step.state
        if step.changed:
            changed[place] = step.state
