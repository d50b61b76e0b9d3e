"""The Faust app of correlate: at least once, tables in memory, no web server, nothing discovered."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Final, cast

import faust
from faust.auth import OAuthCredentials
from faust.types import StreamT
from faust.types.topics import TopicT
from mode.utils.queues import ThrowableQueue
from yarl import URL

from config.kafka import Kafka
from config.settings import Settings
from connectors.kafka.client import CLIENT_ID, connection_options, consumer_options
from connectors.kafka.topics import MAX_VALUE_BYTES
from daemon.roles.correlate.changelog import MAX_BATCH_BYTES
from daemon.roles.correlate.fetching import App
from daemon.roles.correlate.recovery import BulkTables
from daemon.roles.correlate.table import StateTable

APP_ID: Final = "davylamp-correlate"
SEND_TIMEOUT_S: Final = 20.0
_COMMIT_INTERVAL_S: Final = 1.0
_BUFFERED_RECORDS: Final = 4096

Agent = Callable[[StreamT[bytes]], Coroutine[Any, Any, None]]


class KeepingTopic(faust.Topic):
    """A topic whose agents keep what is queued when tables have recovered.

    Stock Faust resumes the stream partitions, fetches, and then clears every queue: records fetched in
    between are never seen and later committed over (measured: three lost by one graceful restart). What is
    left of an earlier generation of the group is skipped by its id, and records read twice change nothing.
    """

    @property
    def queue(self) -> ThrowableQueue:
        """The queue of this channel; only changelog topics are cleared on resume."""
        if self._queue is None:
            self._queue = cast(faust.App, self.app).FlowControlQueue(
                maxsize=self.app.conf.stream_buffer_maxsize, clear_on_resume=self.internal
            )
        return self._queue


def build(settings: Settings) -> faust.App:
    """Return an app that is configured and not started.

    Raises config.secret.SecretUnreadableError, and OSError for an unreadable certificate file.
    """
    kafka = settings.kafka
    settings.state_dir.mkdir(parents=True, exist_ok=True)
    return App(
        APP_ID,
        broker=[URL(f"kafka://{address}") for address in kafka.brokers],
        broker_client_id=CLIENT_ID,
        broker_credentials=_credentials(kafka),
        broker_session_timeout=kafka.session_timeout_s,
        broker_heartbeat_interval=kafka.heartbeat_interval_s,
        broker_rebalance_timeout=kafka.rebalance_timeout_s,
        broker_request_timeout=max(SEND_TIMEOUT_S, kafka.session_timeout_s + 5.0),
        broker_commit_interval=_COMMIT_INTERVAL_S,
        consumer_auto_offset_reset="earliest",
        producer_acks=-1,
        producer_request_timeout=SEND_TIMEOUT_S,
        producer_max_request_size=MAX_VALUE_BYTES,
        producer_max_batch_size=MAX_BATCH_BYTES,
        processing_guarantee="at_least_once",
        store="memory://",
        datadir=settings.state_dir / "correlate",
        topic_partitions=kafka.internal_partitions,
        topic_replication_factor=kafka.replication_factor,
        topic_disable_leader=True,
        stream_buffer_maxsize=_BUFFERED_RECORDS,
        Topic=KeepingTopic,
        TableManager=partial(BulkTables, options=partial(consumer_options, kafka, APP_ID)),
        web_enabled=False,
        autodiscover=False,
    )


def table(app: faust.App, name: str, partitions: int) -> StateTable:
    """Declare a table with the changelog topic ``davylamp-correlate-NAME-changelog``."""
    made = StateTable(app, name=name, partitions=partitions, key_type=str, value_type=bytes)
    return cast(StateTable, app.tables.add(made))


def agent(app: faust.App, topic: str, run: Agent) -> None:
    """Declare an agent that gets the undecoded records of `topic`: Faust's own decoding kills an agent."""
    app.agent(raw_topic(app, topic), name=f"{APP_ID}.{topic}")(run)


def raw_topic(app: faust.App, name: str) -> TopicT:
    """Return a topic whose keys and values are bytes both ways; a value may be empty."""
    return app.topic(
        name, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw", allow_empty=True
    )


def _credentials(kafka: Kafka) -> Any:
    """Return how Faust logs in: the same as every other client of ours."""
    options = connection_options(kafka)
    tls = options.get("ssl_context")
    match kafka.security_protocol:
        case "PLAINTEXT":
            return None
        case "SSL":
            return faust.SSLCredentials(context=tls)
        case _ if kafka.sasl_mechanism == "OAUTHBEARER":
            return OAuthCredentials(oauth_cb=options["sasl_oauth_token_provider"], ssl_context=tls)
        case _:
            return faust.SASLCredentials(
                username=options["sasl_plain_username"],
                password=options["sasl_plain_password"],
                ssl_context=tls,
                mechanism=kafka.sasl_mechanism,
            )
