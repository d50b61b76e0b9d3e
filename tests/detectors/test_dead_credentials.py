"""When a use of a dead credential is a finding: by the event's time, once a minute, if it is really dead."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.sources.cloudtrail import CloudTrail
from connectors.sources.presented import marks, may_name, presented
from connectors.sources.vault_audit import VaultAudit
from detectors.dead_credential import DeadCredential, DeadCredentials, read
from detectors.event import Locator
from detectors.finding import rfc3339

PROVEN = 1_795_000_000.0
KEY = "AKIAIOSFODNN7EXAMPLE"
HASH = "hmac-sha256:" + "db01" * 16
DOCUMENT: dict[str, Any] = {
    "schema": "davylamp.dead-credential/1",
    "type": "access_key",
    "id": KEY,
    "names": [KEY],
    "target": "aws_iam_access_key:secret/etl",
    "action_id": "a",
    "incident_id": "i",
    "epoch": 3,
    "proven_at": PROVEN,
    "refused_from": PROVEN,
    "accepted_from": PROVEN + 60,
}


def call(at: float, key: str = KEY, error: str = "") -> Any:
    fields: dict[str, Any] = {
        "eventTime": rfc3339(at),
        "eventID": f"e-{at}",
        "eventSource": "s3.amazonaws.com",
        "eventName": "ListBuckets",
        "sourceIPAddress": "198.51.100.7",
        "userIdentity": {"type": "IAMUser", "userName": "etl", "accessKeyId": key},
    }
    fields |= {"errorCode": error} if error else {}
    return CloudTrail().parse(fields, Locator("aws.cloudtrail", 0, 1, 0))


def refused_token(at: float, hashed: str = HASH) -> Any:
    fields: dict[str, Any] = {
        "time": rfc3339(at),
        "type": "response",
        "auth": {"token_type": "default"},
        "request": {"id": "r", "path": "sys/mounts", "client_token": hashed, "remote_address": "10.0.0.7"},
        "error": "permission denied",
    }
    return VaultAudit().parse(fields, Locator("vault.audit", 0, 1, 0))


def known(**changes: Any) -> DeadCredentials:
    one = read(DOCUMENT | changes)
    assert one is not None
    dead = DeadCredentials()
    dead.add([one])
    return dead


def found(dead: DeadCredentials, event: Any) -> list[Any]:
    return dead.findings(event, presented(event.profile, event))


@pytest.mark.parametrize(
    ("after_s", "error", "told"),
    [
        (-1.0, "", False),
        (30.0, "", False),
        (61.0, "", True),
        (0.0, "AccessDenied", False),
        (1.0, "AccessDenied", True),
    ],
)
def test_the_time_of_the_event_decides(after_s, error, told):
    assert bool(found(known(), call(PROVEN + after_s, error=error))) is told


def test_the_finding_names_credential_target_and_proof():
    (finding,) = found(known(), call(PROVEN + 100))
    assert (finding.level, finding.entities[0]) == ("critical", ("access_key", KEY, "actor"))
    assert {(e.type, e.id) for e in finding.entities} >= {("address", "198.51.100.7")}
    assert finding.labels["target"] == "aws_iam_access_key:secret/etl"
    assert "was let in" in finding.explain
    assert rfc3339(PROVEN) in finding.explain


def test_a_revoked_token_is_known_by_its_hash_in_the_audit():
    dead = known(type="vault_token", id="accessor-1", names=["accessor-1", HASH])
    (finding,) = found(dead, refused_token(PROVEN + 1))
    assert finding.entities[0] == ("vault_token", "accessor-1", "actor")
    assert "was refused" in finding.explain


def test_hammering_is_one_finding_a_minute_and_a_replay_gives_the_same_ids():
    dead = known()
    minute = PROVEN + 120 - PROVEN % 60
    told = [f.finding_id for second in range(120) for f in found(dead, call(minute + second))]
    assert len(told) == 2
    dead.forget_told()
    again = [f.finding_id for second in reversed(range(120)) for f in found(dead, call(minute + second))]
    assert sorted(again) == sorted(told)


def test_another_credential_is_none_of_ours():
    assert found(known(), call(PROVEN + 100, key="AKIAOTHER")) == []


def test_a_key_that_somebody_only_names_is_not_used():
    event = call(PROVEN + 100, key="AKIAOTHER")
    event.fields["requestParameters"] = {"accessKeyId": KEY}
    assert found(known(), event) == []


def test_the_latest_proof_of_a_name_counts_in_any_order():
    late, early = read(DOCUMENT | {"accepted_from": PROVEN + 500, "proven_at": PROVEN + 440}), read(DOCUMENT)
    assert late is not None
    assert early is not None
    for order in ([late, early], [early, late]):
        dead = DeadCredentials()
        dead.add(order)
        assert found(dead, call(PROVEN + 300)) == []
        assert found(dead, call(PROVEN + 501)) != []


def test_the_newest_are_kept_when_there_are_too_many():
    dead = DeadCredentials(capacity=3)
    for number in range(6):
        one = read(DOCUMENT | {"id": f"K{number}", "names": [f"K{number}"], "proven_at": PROVEN + number})
        assert isinstance(one, DeadCredential)
        dead.add([one])
    assert (len(dead), dead.overflow) == (3, 3)
    assert dead.bytes == {b"K3", b"K4", b"K5"}


@pytest.mark.parametrize(
    "changes",
    [
        {"schema": "davylamp.verdict/1"},
        {"type": "password"},
        {"names": KEY},
        {"names": []},
        {"names": [""]},
        {"names": ["x" * 600]},
        {"names": ["x"] * 65},
        {"id": 7},
        {"id": ""},
        {"proven_at": "now"},
        {"epoch": True},
    ],
)
def test_what_states_no_dead_credential_is_left(changes):
    assert read(DOCUMENT | changes) is None


@pytest.mark.parametrize(
    ("value", "there"),
    [
        (b'{"userIdentity":{"accessKeyId":"AKIAIOSFODNN7EXAMPLE"}}', True),
        (b'{"userIdentity":{"accessKeyId" : "AKIAIOSFODNN7EXAMPLE"}}', True),
        (b'{"accessKeyId":"AKIAOTHER","x":{"accessKeyId":"AKIAIOSFODNN7EXAMPLE"}}', True),
        (b'{"accessKeyId":null,"x":"AKIAIOSFODNN7EXAMPLE"}', False),
        (b'{"a":{"accessKeyId":null},"b":[{"accessKeyId":"AKIAIOSFODNN7EXAMPLE"}]}', True),
        (b'{"accessKeyId":null,"accessKeyId":"AKIAIOSFODNN7EXAMPLE"}', True),
        (b'{"userName":"AKIAIOSFODNN7EXAMPLE"}', False),
        (b'{"accessKeyId":"', False),
        (b'{"accessKeyId"', False),
        (b"", False),
    ],
)
def test_records_are_searched_as_bytes(value, there):
    assert may_name(value, marks(CloudTrail()), known().bytes) is there


def test_the_search_is_linear_in_a_hostile_record():
    value = b"{" + b'"accessKeyId":"' * 200_000
    assert may_name(value, marks(CloudTrail()), known().bytes) is False
