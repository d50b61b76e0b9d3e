"""The SIEM targets by their settings. Adding one: its file, its settings, one line below."""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

from config.forwarding import ElasticsearchTarget, FileTarget, Target
from connectors.siem.elasticsearch import ElasticsearchSiem
from connectors.siem.file import FileSiem
from connectors.siem.target import SiemTarget


def target_of(settings: Target, namespace: str, jitter: Callable[[], float]) -> SiemTarget:
    """Return the target, not yet open; `jitter` returns 0 to 1 for backoffs."""
    match settings:
        case FileTarget():
            return FileSiem(settings.name, settings.folder, namespace, settings.max_bytes, settings.keep)
        case ElasticsearchTarget():
            return ElasticsearchSiem(
                settings.name,
                settings.urls,
                namespace,
                api_key=settings.api_key.reveal if settings.api_key.given() else None,
                jitter=jitter,
                ca_file=settings.ca_file,
                max_bulk_bytes=settings.max_bulk_bytes,
                request_timeout_s=settings.request_timeout_s,
            )
        case _:
            assert_never(settings)
