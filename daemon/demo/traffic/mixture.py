"""All sources together: the week before the breach, and the trickle while it happens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from daemon.demo.traffic import cloudtrail, istio_access, kubernetes_audit, unreadable, vault_audit
from daemon.demo.traffic.platform import Platform
from daemon.demo.traffic.record import CLOUDTRAIL, DAY_S, ISTIO, KUBERNETES, VAULT, Record, seeded
from daemon.demo.traffic.vault_audit import VaultIdentity

DAYS: Final = 8.0
SHARES: Final[Mapping[str, int]] = {CLOUDTRAIL: 3000, KUBERNETES: 8000, ISTIO: 7000, VAULT: 2000}


def week(platform: Platform, identities: Mapping[str, VaultIdentity], seed: int, end: float) -> list[Record]:
    """Return about 20,000 records of the eight days before `end` (seconds, UTC), in order of time.

    The same seed, identities and end give the same bytes; another end moves all times and nothing else
    but the hours of day that are busy.
    """
    begin = end - DAYS * DAY_S
    everything = list(_between(platform, identities, seed, begin, end, SHARES))
    everything.extend(unreadable.records(seeded("unreadable", seed), begin + DAY_S, end))
    return sorted(everything, key=lambda r: r.time)


def trickle(
    platform: Platform, identities: Mapping[str, VaultIdentity], seed: int, begin: float, seconds: float
) -> list[Record]:
    """Return a few everyday records a second from `begin` on, for the breach to hide in."""
    count = max(40, int(4 * seconds))
    pairs = sum(len(w.calls) + len(w.outside) + len(w.strays) for w in platform.workloads)
    shares = {CLOUDTRAIL: count // 4, KUBERNETES: count, ISTIO: 0, VAULT: 0}
    live = f"{seed}/live/{pairs}"
    found = _between(platform, identities, live, begin, begin + seconds, shares)
    return sorted((r for r in found if r.time >= begin), key=lambda r: r.time)


def _between(
    platform: Platform,
    identities: Mapping[str, VaultIdentity],
    seed: object,
    begin: float,
    end: float,
    shares: Mapping[str, int],
) -> Iterator[Record]:
    if shares[CLOUDTRAIL]:
        yield from cloudtrail.records(platform, seeded(CLOUDTRAIL, seed), begin, end, shares[CLOUDTRAIL])
    if shares[KUBERNETES]:
        yield from kubernetes_audit.records(
            platform, seeded(KUBERNETES, seed), begin, end, shares[KUBERNETES]
        )
    if shares[ISTIO]:
        yield from istio_access.records(platform, seeded(ISTIO, seed), begin, end, shares[ISTIO])
    if shares[VAULT]:
        yield from vault_audit.records(platform, identities, seeded(VAULT, seed), begin, end, shares[VAULT])
