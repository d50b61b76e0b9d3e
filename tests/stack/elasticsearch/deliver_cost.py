"""What one document costs to deliver.

`PYTHONPATH=tests/stack python tests/stack/elasticsearch/deliver_cost.py [BATCHES]`

Prints the processor time of this process for each document of about 1.8 KB, sent in batches of 1,000 to a
real Elasticsearch 9 that it starts and stops; the server's own time is not in it.
"""

from __future__ import annotations

import asyncio
import hashlib
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from parts.elasticsearch import Elasticsearch9Part

from config.forwarding import ElasticsearchTarget
from connectors.ecs.stream import Document
from connectors.siem.bootstrap import apply, standings
from connectors.siem.bulk_siem import BulkSiem
from connectors.siem.catalogue import target_of

_BATCH = 1000


def _original(number: int, index: int) -> str:
    """Return a text that packs about as well as an event: half of it names, half of it identifiers."""
    hexes = (hashlib.sha256(f"{number} {index} {part}".encode()).hexdigest() for part in range(11))
    return "".join(
        f'"userIdentity.sessionContext.sessionIssuer.principalId.{n}": "{h}"' for n, h in enumerate(hexes)
    )


def documents(number: int) -> list[Document]:
    """Return one batch; ids differ from batch to batch."""
    return [
        Document.of(
            "events",
            f"{number}-{index}",
            {
                "@timestamp": "2026-11-01T00:00:00.000Z",
                "event": {"kind": "event", "id": f"{number}-{index}", "original": _original(number, index)},
                "source": {"ip": "198.51.100.7"},
                "user": {"name": f"user-{index % 50}"},
            },
            "default",
            0.0,
        )
        for index in range(_BATCH)
    ]


async def costs(url: str, batches: int, compress: bool) -> Sequence[float]:
    """Return the processor time of each batch but the first, in microseconds a document."""
    settings = ElasticsearchTarget(urls=(url,), compress=compress)
    siem = target_of(settings, "default", lambda: 0.5)
    assert isinstance(siem, BulkSiem)
    await siem.open()
    await apply(siem.cluster, await standings(siem.cluster, siem.dialect))
    found: list[float] = []
    for number in range(batches + 1):
        batch = documents(number + 1_000_000 * compress)
        start = time.process_time()
        outcomes = await siem.deliver(batch)
        found.append((time.process_time() - start) / _BATCH * 1e6)
        assert all(outcome.ending == "delivered" for outcome in outcomes)
    await siem.close()
    return found[1:]


def main() -> None:
    """Start a node, measure, stop it."""
    batches = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    size = statistics.mean(document.size for document in documents(0))
    with tempfile.TemporaryDirectory() as folder:
        part = Elasticsearch9Part(Path(folder))
        part.fetch()
        part.start()
        try:
            for compress in (False, True):
                found = asyncio.run(costs(part.url, batches, compress))
                print(
                    f"{part.name} {part.version}, {batches} x {_BATCH} documents of {size:.0f} bytes, "
                    f"gzip {'on' if compress else 'off'}: median {statistics.median(found):.1f} us a document"
                )
        finally:
            part.stop()


if __name__ == "__main__":
    main()
