"""`davylamp dlq` on a broker with users: read by its own principal, redriven by the role, no trace left."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Literal

import orjson
import pytest
import yaml
from click.testing import CliRunner, Result
from kafka.records import CLOUDTRAIL, STOPPED, cloudtrail
from kafka.secure_stage import PLATFORM, SecureStage
from kafka.waiting import until
from parts.secure_kafka import SecureKafkaPart

from daemon.cli.main import cli


@pytest.fixture
def stage(secure_kafka: SecureKafkaPart, tmp_path: Path) -> Iterator[SecureStage]:
    with ExitStack() as stack:
        yield SecureStage(secure_kafka, tmp_path, stack)


def dlq(stage: SecureStage, user: Literal["detect", "dlq"], *words: str) -> Result:
    config = stage.folder / f"as-{user}.yaml"
    config.write_text(yaml.safe_dump(stage.settings(user)), encoding="utf-8")
    return CliRunner().invoke(cli, ["dlq", words[0], "--config", str(config), *words[1:]])


@pytest.mark.claim("dlq show reads dead letters as davylamp-dlq, and detect may not read them")
def test_dead_letters_are_shown_to_their_own_principal(stage: SecureStage) -> None:
    detect = stage.role("detect").start()
    stage.user(PLATFORM).fill([(CLOUDTRAIL, 0, b'{"eventName": "Sto')])
    detect.wait_ready()
    until(lambda: stage.admin.ends("davylamp.dlq") != dict.fromkeys(range(4), (0, 0)), detect.status)
    shown = dlq(stage, "dlq", "show", "--json")
    assert shown.exit_code == 0, shown.output
    page = orjson.loads(shown.stdout)
    assert [(row["reason"], row["letters"]) for row in page["counts"]] == [("truncated", 1)]
    refused = dlq(stage, "detect", "show")
    assert refused.exit_code == 3 and "davylamp.dlq" in refused.stderr


@pytest.mark.claim(
    "dlq redrive as detect reads a letter's record at its origin and finds what is in it, joining no group"
)
def test_a_redrive_runs_with_the_rights_of_the_role(stage: SecureStage) -> None:
    stage.user(PLATFORM).fill([(CLOUDTRAIL, 0, orjson.dumps(cloudtrail(1, STOPPED)))])
    fields = ("reason", "role", "source", "target", "origin", "attempts", "detail")
    old = dict.fromkeys(fields, "") | {"role": "detect", "origin": f"{CLOUDTRAIL}/0/0/0"}
    letters = stage.folder / "letters.json"
    letters.write_bytes(orjson.dumps({"letters": [old]}))
    before = stage.admin.groups()
    for _ in range(2):
        ran = dlq(stage, "detect", "redrive", "--letters", str(letters), "--json")
        assert ran.exit_code == 0, ran.output
        assert orjson.loads(ran.stdout)["counts"]["findings"] == 1
    found = [f["finding_id"] for f in stage.admin.documents("davylamp.findings")]
    assert len(found) == 2 and len(set(found)) == 1
    assert stage.admin.groups() == before, "no group was joined"
