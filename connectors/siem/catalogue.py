"""The SIEM targets by their settings. Adding one: its file, its settings, one line below."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import assert_never

from config.forwarding import ElasticsearchTarget, FileTarget, OpenSearchTarget, Target
from connectors.siem.bulk_siem import BulkSiem
from connectors.siem.cluster import Cluster
from connectors.siem.dialect import Dialect
from connectors.siem.elasticsearch import ELASTICSEARCH
from connectors.siem.file import FileSiem
from connectors.siem.opensearch import OPENSEARCH
from connectors.siem.target import SiemTarget


def target_of(settings: Target, namespace: str, jitter: Callable[[], float]) -> SiemTarget:
    """Return the target, not yet open; `jitter` returns 0 to 1 for backoffs."""
    match settings:
        case FileTarget():
            return FileSiem(settings.name, settings.folder, namespace, settings.max_bytes, settings.keep)
        case ElasticsearchTarget() | OpenSearchTarget():
            return BulkSiem(
                cluster_of(settings),
                dialect_of(settings),
                namespace,
                jitter=jitter,
                max_bulk_bytes=settings.max_bulk_bytes,
            )
        case _:
            assert_never(settings)


def dialect_of(settings: ElasticsearchTarget | OpenSearchTarget) -> Dialect:
    """Return the product of a cluster's settings."""
    return ELASTICSEARCH if isinstance(settings, ElasticsearchTarget) else OPENSEARCH


def cluster_of(settings: ElasticsearchTarget | OpenSearchTarget) -> Cluster:
    """Return the cluster of its settings, not yet open."""
    return Cluster(
        settings.name,
        settings.urls,
        authorization=lambda: authorization(settings),
        identify=dialect_of(settings).identify,
        ca_file=settings.ca_file,
        timeout_s=settings.request_timeout_s,
        compress=settings.compress,
    )


def authorization(settings: ElasticsearchTarget | OpenSearchTarget) -> str | None:
    """Return the value of the Authorization header, or None. Raises SecretUnreadableError."""
    if isinstance(settings, ElasticsearchTarget) and settings.api_key.given():
        return f"ApiKey {settings.api_key.reveal()}"
    if settings.username:
        pair = f"{settings.username}:{settings.password.reveal()}".encode()
        return f"Basic {base64.b64encode(pair).decode()}"
    return None
