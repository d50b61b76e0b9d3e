"""OpenSearch 2.19 and 3: what is its own beside the shared bulk path."""

from __future__ import annotations

from typing import Final

from connectors.siem.answer import Answer, error_type
from connectors.siem.cluster import Cluster
from connectors.siem.dialect import Dialect, major_of, no_template, version_of
from connectors.siem.target import RefusedError, TargetAwayError

_HEADER: Final = "x-opensearch-version"
_LEAST: Final = 2


def identify(answer: Answer) -> str:
    """Return the version; "" when the credential may not see it (3 names itself in a header all the same).

    Raises RefusedError.
    """
    if answer.status == 401:
        raise RefusedError("the credential is refused (401)")
    if answer.headers.get("x-elastic-product"):
        raise RefusedError("it is Elasticsearch, not OpenSearch: use kind elasticsearch")
    distribution, number = version_of(answer)
    if distribution != "opensearch":
        if answer.headers.get(_HEADER, "").endswith("(opensearch)"):
            return ""
        if answer.status == 403:
            raise RefusedError("the credential may not see what it is: grant cluster:monitor/main")
        raise RefusedError(f"it does not answer as OpenSearch (GET /: {answer.status})")
    if number and major_of(number) < _LEAST:
        raise RefusedError(f"OpenSearch {number} is too old: 2.19 or newer is needed")
    return number


async def prepare(cluster: Cluster, stream: str) -> None:
    """Make the data stream if it is not there: bulk has no `require_data_stream` and would make an index.

    Raises TargetAwayError; RefusedError when no template fits or an ordinary index has the name.
    """
    path = f"/_data_stream/{stream}"
    answer = await cluster.ask("GET", path)
    if answer.status == 404:
        answer = await cluster.ask("PUT", path)
    if answer.status == 200:
        return
    kind = error_type(answer.json())
    if kind == "resource_already_exists_exception":
        return
    if answer.status == 400 and kind == "illegal_argument_exception":
        if await _is_index(cluster, stream):
            raise RefusedError(f"{cluster.name}: {stream} is an ordinary index: move it away, then bootstrap")
        raise RefusedError(no_template(cluster.name, stream))
    if answer.status in {401, 403}:
        raise RefusedError(
            f"{cluster.name}: {stream}: {answer.error()}: data streams may not be seen or made"
        )
    raise TargetAwayError(f"{cluster.name}: {stream}: {answer.error()}")


async def _is_index(cluster: Cluster, stream: str) -> bool:
    return (await cluster.ask("HEAD", f"/{stream}")).status == 200


OPENSEARCH: Final = Dialect(
    product="OpenSearch",
    templates="opensearch",
    bulk_query={},
    identify=identify,
    prepare=prepare,
    retention="OpenSearch keeps documents until an index state management policy removes them",
)
