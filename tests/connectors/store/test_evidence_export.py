"""Bundles from both databases: every row, as one moment, whole under the key."""

from __future__ import annotations

import json
import zipfile

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from connectors.evidence.rows import lost_since
from connectors.evidence.verifying import verify
from connectors.store import audit
from daemon.evidence import export_incident, export_record, snapshot

ROWS = 1200


def lines(path, name):
    with zipfile.ZipFile(path) as archive:
        return [json.loads(line) for line in archive.read(name).splitlines()]


def test_an_export_is_whole_and_of_one_moment(database, feed, make_finding, tmp_path):
    report = feed(make_finding("r", ("credential", "database:database/analytics", "target")))
    (incident,) = report.opened
    with database.transaction() as connection:
        for number in range(ROWS):
            audit.record(
                connection, 1.5 + number, "a\x00\ud800", "b", incident, "done", {"n": number, "x": "\ud800"}
            )
    key = Ed25519PrivateKey.generate()
    whole, case = tmp_path / "whole.zip", tmp_path / "case.zip"
    with snapshot(database) as connection:
        export_record(connection, whole, key, "default", 9.0)
        with database.transaction() as other:
            audit.record(other, 2.0, "alice", "later", incident, "done")
        export_incident(connection, incident, case, key, "default", 9.0)
        assert lost_since(connection, whole) == []

    for path in (whole, case):
        found = verify(path, key.public_key())
        assert found.problems == ()
        assert found.manifest["audit_hash"] == lines(path, "audit.jsonl")[-1]["hash"]
    assert len(lines(case, "audit.jsonl")) >= ROWS
    assert "later" not in {row["action"] for row in lines(case, "audit.jsonl")}
    assert len(lines(case, "findings.jsonl")) == 1
    assert lines(case, "timeline.jsonl")[0]["kind"] == "opened"
