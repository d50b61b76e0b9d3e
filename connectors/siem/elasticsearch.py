"""Elasticsearch 8.19 and 9: what is its own beside the shared bulk path."""

from __future__ import annotations

from typing import Final

from connectors.siem.answer import Answer
from connectors.siem.cluster import Cluster
from connectors.siem.dialect import Dialect, major_of, version_of
from connectors.siem.target import RefusedError

_HEADER: Final = "x-elastic-product"
_LEAST: Final = 8


def identify(answer: Answer) -> str:
    """Return the version; "" when the credential may not see it.

    Every answer of the product carries its name in a header, a refusal too; behind a proxy that drops it,
    the body's tagline counts. Raises RefusedError.
    """
    if answer.status == 401:
        raise RefusedError("the credential is refused (401)")
    distribution, number = version_of(answer)
    if distribution:
        raise RefusedError(f"it is {distribution} {number}, not Elasticsearch: use kind opensearch")
    named = answer.headers.get(_HEADER) == "Elasticsearch"
    if not named and answer.json().get("tagline") != "You Know, for Search":
        raise RefusedError(f"it does not answer as Elasticsearch (GET /: {answer.status})")
    if number and major_of(number) < _LEAST:
        raise RefusedError(f"Elasticsearch {number} is too old: 8.19 or newer is needed")
    return number


async def prepare(cluster: Cluster, stream: str) -> None:
    """Nothing: the bulk request itself asks for a data stream."""


ELASTICSEARCH: Final = Dialect(
    product="Elasticsearch",
    templates="elasticsearch",
    bulk_query={"require_data_stream": "true"},
    identify=identify,
    prepare=prepare,
)
