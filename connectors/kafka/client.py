"""Settings to client options: the one place that knows how to reach and log in to the brokers."""

from __future__ import annotations

from typing import Any, Final

from config.kafka import Kafka
from connectors.kafka.header_names import read_any_header_name
from connectors.kafka.tls import FollowedContext
from connectors.kafka.token import FollowedToken

REQUEST_TIMEOUT_MS: Final = 10_000
METADATA_MAX_AGE_MS: Final = 10_000
MAX_MESSAGE_BYTES: Final = 64 * 1024 * 1024
FETCH_PARTITION_BYTES: Final = 4 * 1024 * 1024
FETCH_TOTAL_BYTES: Final = 16 * 1024 * 1024
NEVER_MS: Final = 24 * 3600 * 1000
CLIENT_ID: Final = "davylamp"


def connection_options(kafka: Kafka) -> dict[str, Any]:
    """Return what every client needs: brokers, TLS, SASL. The password is read from its file on each call.

    Raises config.secret.SecretUnreadableError, and OSError for an unreadable certificate file.
    """
    read_any_header_name()
    options: dict[str, Any] = {
        "bootstrap_servers": list(kafka.brokers),
        "client_id": CLIENT_ID,
        "request_timeout_ms": REQUEST_TIMEOUT_MS,
        "metadata_max_age_ms": METADATA_MAX_AGE_MS,
        "security_protocol": kafka.security_protocol,
    }
    if kafka.security_protocol in ("SSL", "SASL_SSL"):
        options["ssl_context"] = FollowedContext.of(kafka)
    if kafka.security_protocol in ("SASL_PLAINTEXT", "SASL_SSL"):
        options["sasl_mechanism"] = kafka.sasl_mechanism
        if kafka.sasl_mechanism == "OAUTHBEARER":
            return options | {"sasl_oauth_token_provider": FollowedToken(kafka.token)}
        options["sasl_plain_username"] = kafka.username
        options["sasl_plain_password"] = kafka.password.reveal()
    return options


def consumer_options(kafka: Kafka, group: str) -> dict[str, Any]:
    """Return the options of a batch consumer: it commits itself and stays while a sink is away.

    `max_poll_interval_ms` is a day because a sink that is away must not shake the group: the
    session's heartbeats say that the worker lives, readiness says that it waits.
    """
    return connection_options(kafka) | {
        "group_id": group,
        "enable_auto_commit": False,
        "auto_offset_reset": "earliest",
        "isolation_level": "read_committed",
        "session_timeout_ms": int(kafka.session_timeout_s * 1000),
        "heartbeat_interval_ms": int(kafka.heartbeat_interval_s * 1000),
        "rebalance_timeout_ms": int(kafka.rebalance_timeout_s * 1000),
        "max_poll_interval_ms": NEVER_MS,
        "max_partition_fetch_bytes": FETCH_PARTITION_BYTES,
        "fetch_max_bytes": FETCH_TOTAL_BYTES,
    }


def producer_options(kafka: Kafka) -> dict[str, Any]:
    """Return the options of a producer that waits for every replica in sync.

    Not idempotent: ids are derived, so a record that lands twice changes nothing, and the
    embedded broker knows no idempotent producers.
    """
    return connection_options(kafka) | {
        "acks": "all",
        "max_batch_size": 256 * 1024,
        "max_request_size": 4 * 1024 * 1024,
    }


def admin_options(kafka: Kafka) -> dict[str, Any]:
    """Return the options of an admin client."""
    return connection_options(kafka)
