"""The ordinary week: repeatable, complete, readable, and quiet."""

from __future__ import annotations

from collections import Counter

import orjson
import pytest

from config.detection import Detection
from config.kafka import RawTopics
from connectors.sources import catalogue
from connectors.sources.envelope import unpack
from daemon.demo.traffic import platform, unreadable
from daemon.demo.traffic.mixture import DAYS, week
from daemon.demo.traffic.platform import Platform
from daemon.demo.traffic.record import DAY_S, KUBERNETES, TOPICS, VAULT, Record, seeded
from daemon.demo.traffic.vault_audit import VaultIdentity
from detectors.event import Event

_END = 1_795_400_000.0
_KINDS = RawTopics().kinds()


@pytest.fixture(scope="module")
def town() -> Platform:
    return platform.build(7)


@pytest.fixture(scope="module")
def identities(town: Platform) -> dict[str, VaultIdentity]:
    rng = seeded("identities")
    return {
        w.key: VaultIdentity(
            entity_id=f"{rng.getrandbits(128):032x}",
            display_name=f"jwt-{w.name}",
            role=w.name,
            policies=("default", w.name),
            metadata={"service_account_name": w.name, "service_account_namespace": w.namespace},
        )
        for w in town.readers
    }


@pytest.fixture(scope="module")
def records(town: Platform, identities: dict[str, VaultIdentity]) -> list[Record]:
    return week(town, identities, 7, _END)


@pytest.fixture(scope="module")
def events(records: list[Record]) -> list[Event]:
    found: list[Event] = []
    for offset, item in enumerate(records):
        source = catalogue.profile(_KINDS[item.topic])
        found.extend(unpack(item.value, source, item.topic, 0, offset).events)
    return found


def test_the_same_seed_and_end_give_the_same_bytes(
    town: Platform, identities: dict[str, VaultIdentity], records: list[Record]
) -> None:
    assert week(platform.build(7), identities, 7, _END) == records
    assert week(town, identities, 8, _END) != records


def test_another_start_moves_only_the_times(
    town: Platform, identities: dict[str, VaultIdentity], records: list[Record]
) -> None:
    later = week(town, identities, 7, _END + 12_345)
    assert [r.topic for r in later] == [r.topic for r in records]
    shifts = {round(b.time - a.time) for a, b in zip(records, later, strict=True)}
    assert shifts == {12_345}
    audit = [[orjson.loads(r.value)["auditID"] for r in week_ if _single(r)] for week_ in (records, later)]
    assert audit[0] == audit[1]


def test_it_is_about_twenty_thousand_records_on_four_topics_over_eight_days(records: list[Record]) -> None:
    assert 19_000 <= len(records) <= 21_000
    assert set(Counter(r.topic for r in records)) == set(TOPICS)
    assert records == sorted(records, key=lambda r: r.time)
    assert records[0].time <= _END - DAYS * DAY_S + 60 and _END - 3600 < records[-1].time <= _END


def test_every_record_is_readable_but_the_five_broken_ones_and_a_digest(records: list[Record]) -> None:
    rejected, control = Counter[str](), 0
    for offset, item in enumerate(records):
        source = catalogue.profile(_KINDS[item.topic])
        unpacked = unpack(item.value, source, item.topic, 0, offset)
        control += unpacked.control
        for reject in unpacked.rejects:
            rejected[reject.reason.value] += 1
    broken = list(unreadable.records(seeded(1), 0.0, 1.0))
    assert sum(rejected.values()) == 5
    assert len(broken) == 6
    assert control == 1
    assert len(rejected) >= 3


def test_envelopes_of_every_kind_are_among_them(records: list[Record]) -> None:
    values = [r.value for r in records]
    assert any(value.startswith(b"\x1f\x8b") for value in values)
    assert any(value.startswith(b'{"Records"') for value in values)
    assert any(b'"EventList"' in value[:40] for value in values)
    assert any(value.count(b"\n{") for value in values)
    assert any(value.startswith(b"[20") for value in values)


def test_every_pod_address_is_announced_by_its_kubelet_before_anything_else(
    town: Platform, records: list[Record]
) -> None:
    addresses = {pod.address for w in town.workloads for pod in w.pods}
    source = catalogue.profile("kubernetes_audit")
    opening = [r for r in records if r.topic == KUBERNETES][: len(addresses)]
    announced: set[str] = set()
    for item in opening:
        for event in unpack(item.value, source, item.topic, 0, 0).events:
            announced |= {alias.b[1] for alias in source.aliases_in(event) if alias.b[0] == "address"}
    assert announced == addresses


def test_every_contact_is_made_in_the_first_day_so_that_none_is_new_later(events: list[Event]) -> None:
    first_day = _END - (DAYS - 1) * DAY_S
    early: set[object] = set()
    late: set[object] = set()
    for event in events:
        contacts = {(c.model, c.subject, c.peer) for c in event.profile.contacts(event)}
        (early if event.time < first_day else late).update(contacts)
    assert late and late <= early


def test_the_usual_readers_of_the_database_have_history(events: list[Event]) -> None:
    reads = Counter(c.peer[1] for e in events if e.source == "vault_audit" for c in e.profile.contacts(e))
    assert {"database:database/analytics", "database:database/customer-records"} <= set(reads)
    assert min(reads.values()) > 20


def test_a_week_trips_no_rule_of_medium_or_above(events: list[Event]) -> None:
    from daemon.ruleset import ruleset as load_rules
    from detectors.level import rank
    from detectors.sigma.engine import Engine

    ruleset = load_rules(Detection())
    assert not ruleset.refusals
    engine = Engine(ruleset)
    loud = Counter[str]()
    for event in events:
        inspection = engine.inspect(event)
        assert not inspection.errors
        loud.update(f.title for f in inspection.findings if rank(f.level) >= rank("medium"))
    assert loud == Counter()


def _single(item: Record) -> bool:
    return item.topic == KUBERNETES and b'"auditID"' in item.value[:120] and item.value.count(b"auditID") == 1


def test_no_secret_looking_value_stands_in_the_vault_traffic(records: list[Record]) -> None:
    passwords = [
        orjson.loads(r.value)["response"]["data"].get("password", "hmac-sha256:")
        for r in records
        if r.topic == VAULT and b'"data":{"last' in r.value
    ]
    assert passwords and all(value.startswith("hmac-sha256:") for value in passwords)
