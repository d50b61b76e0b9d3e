"""SIEM targets: each has its own consumer group, so that one that is away delays nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from config.secret import Secret
from config.section import Section


class FileTarget(Section):
    """ECS documents as JSON Lines, one file a data stream, rotated by size."""

    kind: Literal["file"] = "file"
    name: str = Field(default="file", pattern=r"^[a-z0-9-]{1,32}$")
    folder: Path = Path("siem")
    max_bytes: int = Field(default=64 * 1024 * 1024, ge=1024 * 1024)
    keep: int = Field(default=10, ge=1, le=1000)


class ElasticsearchTarget(Section):
    """Elasticsearch through the official client; data streams, op `create`, derived `_id`."""

    kind: Literal["elasticsearch"] = "elasticsearch"
    name: str = Field(default="elasticsearch", pattern=r"^[a-z0-9-]{1,32}$")
    urls: tuple[str, ...] = ("http://127.0.0.1:9200",)
    api_key: Secret = Secret()
    ca_file: Path | None = None
    max_bulk_bytes: int = Field(default=5 * 1024 * 1024, ge=64 * 1024)
    request_timeout_s: float = Field(default=30.0, gt=0)


Target = Annotated[FileTarget | ElasticsearchTarget, Field(discriminator="kind")]


class Forwarding(Section):
    """Where documents go, and the data stream namespace."""

    namespace: str = Field(default="default", pattern=r"^[a-z0-9_.]{1,100}$")
    targets: tuple[Target, ...] = (FileTarget(),)
