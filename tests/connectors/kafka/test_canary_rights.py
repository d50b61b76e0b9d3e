"""Who may write raw topics: nobody of Davylamp's while canaries are off, detect alone while they are on."""

from __future__ import annotations

from connectors.kafka.access import HOLDERS, Holder, Names, acls

RAW = ("aws.cloudtrail", "vault.audit")
PRINCIPALS: dict[Holder, str] = {holder: f"User:{holder}" for holder in HOLDERS if holder != "platform"}


def writers(names: Names) -> set[tuple[str, str]]:
    found = acls(names, PRINCIPALS)
    return {(acl.principal, acl.name) for acl in found if acl.operation == "write" and acl.name in RAW}


def test_only_detect_writes_raw_topics_and_only_for_canaries() -> None:
    assert writers(Names(RAW)) == set()
    assert writers(Names(RAW, canaries=RAW)) == {("User:detect", topic) for topic in RAW}
