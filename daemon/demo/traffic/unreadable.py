"""A few records that hold no event, as every pipeline has them.

Five that nobody can read end in dead letters by name; a CloudTrail digest is a control record.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from daemon.demo.traffic.record import CLOUDTRAIL, ISTIO, KUBERNETES, VAULT, Record

_BROKEN = (
    (CLOUDTRAIL, b'{"Records":[{"eventVersion":"1.11","eventTime":"2026-'),
    (CLOUDTRAIL, b'{"awsAccountId":"482913570264","digestStartTime":"2026-11-20T00:00:00Z","logFiles":[]}'),
    (KUBERNETES, b'{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","audit[Truncated...]'),
    (KUBERNETES, b"\xff\xfe\x00\x01not json"),
    (ISTIO, b"upstream connect error or disconnect/reset before headers\n"),
    (VAULT, b'{"time":"yesterday","type":"response","request":{"path":"sys/health"}}'),
)


def records(rng: Random, begin: float, end: float) -> Iterator[Record]:
    """Yield one record of each kind of breakage, at times between `begin` and `end`."""
    for topic, value in _BROKEN:
        yield Record(rng.uniform(begin, end), topic, value)
