"""The real servers as fixtures: one of each a session, started when first asked for, stopped at its end."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from parts.part import PartMissingError

PARTS = {
    "kafka": ("parts.kafka", "KafkaPart"),
    "secure_kafka": ("parts.secure_kafka", "SecureKafkaPart"),
    "elasticsearch": ("parts.elasticsearch", "Elasticsearch9Part"),
    "elasticsearch_8": ("parts.elasticsearch", "Elasticsearch8Part"),
    "opensearch": ("parts.opensearch", "OpenSearch3Part"),
    "opensearch_2": ("parts.opensearch", "OpenSearch2Part"),
    "kubernetes": ("parts.kubernetes", "KubernetesPart"),
    "envoy": ("parts.envoy", "EnvoyPart"),
}


def part_class(name: str) -> type[Any]:
    """Return the class of the part behind a fixture."""
    module, kind = PARTS[name]
    return getattr(import_module(module), kind)


def running(name: str, folder: Path) -> Iterator[Any]:
    """Fetch, start, yield, stop; a part that this machine cannot have is a skip by name (an error in CI)."""
    try:
        part = part_class(name)(folder)
        part.fetch()
    except PartMissingError as error:
        pytest.skip(f"{name}: {error}")
    part.start()
    try:
        yield part
    finally:
        part.stop()


def fixture_of(name: str) -> Any:
    """Return the session fixture of a part."""

    @pytest.fixture(scope="session", name=name)
    def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
        yield from running(name, tmp_path_factory.mktemp(name))

    return started


kafka = fixture_of("kafka")
secure_kafka = fixture_of("secure_kafka")
elasticsearch = fixture_of("elasticsearch")
elasticsearch_8 = fixture_of("elasticsearch_8")
opensearch = fixture_of("opensearch")
opensearch_2 = fixture_of("opensearch_2")
kubernetes = fixture_of("kubernetes")
envoy = fixture_of("envoy")
