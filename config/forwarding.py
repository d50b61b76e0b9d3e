"""SIEM targets: each has its own consumer group, so that one that is away delays nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from config.secret import Secret
from config.section import Section


def _address(url: str) -> str:
    """Return `url` without a slash at its end. Raises ValueError, which never repeats the text."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("an address looks like https://host:9200") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0:
        raise ValueError("an address looks like https://host:9200")
    if parts.username is not None or parts.password is not None:
        raise ValueError("no user or password in an address: use username and password")
    if parts.query or parts.fragment:
        raise ValueError("no query and no fragment in an address")
    return url.rstrip("/")


Address = Annotated[str, AfterValidator(_address)]


class FileTarget(Section):
    """ECS documents as JSON Lines, one file a data stream, rotated by size."""

    kind: Literal["file"] = "file"
    name: str = Field(default="file", pattern=r"^[a-z0-9-]{1,32}$")
    folder: Path = Path("siem")
    max_bytes: int = Field(default=64 * 1024 * 1024, ge=1024 * 1024)
    keep: int = Field(default=10, ge=1, le=1000)


class ClusterTarget(Section):
    """What both products share: data streams, op `create`, derived `_id`.

    The next of `urls` is taken when one is away. `compress` sends requests as gzip.
    """

    urls: tuple[Address, ...] = Field(default=("http://127.0.0.1:9200",), min_length=1, max_length=16)
    username: str = Field(default="", max_length=256, pattern=r"^[^:\x00-\x1f]*$")
    password: Secret = Secret()
    ca_file: Path | None = None
    max_bulk_bytes: int = Field(default=5 * 1024 * 1024, ge=64 * 1024, le=64 * 1024 * 1024)
    request_timeout_s: float = Field(default=30.0, gt=0, le=600)
    compress: bool = False

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if bool(self.username) != self.password.given():
            raise ValueError("username and password belong together")
        return self


class ElasticsearchTarget(ClusterTarget):
    """Elasticsearch 8.19 or 9. One of `api_key` (encoded, as Kibana shows it) and `username`."""

    kind: Literal["elasticsearch"] = "elasticsearch"
    name: str = Field(default="elasticsearch", pattern=r"^[a-z0-9-]{1,32}$")
    api_key: Secret = Secret()

    @model_validator(mode="after")
    def _one_credential(self) -> Self:
        if self.username and self.api_key.given():
            raise ValueError("give one of api_key and username")
        return self


class OpenSearchTarget(ClusterTarget):
    """OpenSearch 2.19 or 3."""

    kind: Literal["opensearch"] = "opensearch"
    name: str = Field(default="opensearch", pattern=r"^[a-z0-9-]{1,32}$")


Target = Annotated[FileTarget | ElasticsearchTarget | OpenSearchTarget, Field(discriminator="kind")]


class Forwarding(Section):
    """Where documents go, and the data stream namespace."""

    namespace: str = Field(default="default", pattern=r"^[a-z0-9_.]{1,100}$")
    targets: tuple[Target, ...] = (FileTarget(),)

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [target.name for target in self.targets]
        if len(set(names)) != len(names):
            raise ValueError("two targets have one name: each needs its own consumer group")
        return self
