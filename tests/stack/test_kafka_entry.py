"""What a role says when the brokers do not let it in: the reason, not "Unable to bootstrap"."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from kafka.certificates import make_certificates
from kafka.secure_stage import SecureStage
from kafka.waiting import until
from parts.secure_kafka import SecureKafkaPart

from config.kafka import Kafka
from connectors.kafka.error import (
    BrokerAwayError,
    CertificateRefusedError,
    MechanismRefusedError,
    NoEntryError,
    ProtocolMismatchError,
    UnknownUserError,
    WrongPasswordError,
)
from connectors.kafka.probe import why_no_entry

USER = "davylamp-detect"
WRONG = "Not-The-Password-7"


@pytest.fixture
def login(secure_kafka: SecureKafkaPart) -> dict[str, Any]:
    """The section `kafka` of a user who may log in."""
    return {
        "brokers": [secure_kafka.brokers],
        "security_protocol": "SASL_SSL",
        "username": USER,
        "password": {"value": secure_kafka.add_user(USER)},
        "ca_file": str(secure_kafka.ca_file),
    }


def probed(section: dict[str, Any]) -> NoEntryError | None:
    return asyncio.run(why_no_entry(Kafka.model_validate(section)))


@pytest.mark.claim("a login that is right gives no reason to complain")
def test_who_may_log_in_gets_no_reason(login: dict[str, Any]) -> None:
    assert probed(login) is None


@pytest.mark.claim(
    "wrong password, unknown user, mechanism and protocol are told apart, without the password"
)
@pytest.mark.parametrize(
    ("change", "kind", "setting"),
    [
        ({"password": {"value": WRONG}}, WrongPasswordError, "kafka.password"),
        ({"username": "nobody", "password": {"value": WRONG}}, UnknownUserError, "kafka.username"),
        ({"sasl_mechanism": "PLAIN"}, MechanismRefusedError, "kafka.sasl_mechanism"),
        ({"sasl_mechanism": "SCRAM-SHA-256"}, MechanismRefusedError, "kafka.sasl_mechanism"),
        ({"ca_file": None}, CertificateRefusedError, "kafka.ca_file"),
        ({"security_protocol": "PLAINTEXT"}, ProtocolMismatchError, "speaks TLS"),
        ({"security_protocol": "SASL_PLAINTEXT"}, ProtocolMismatchError, "speaks TLS"),
        ({"security_protocol": "SSL"}, ProtocolMismatchError, "wants a login"),
        ({"brokers": ["127.0.0.1:1"]}, BrokerAwayError, "connection refused"),
        ({"brokers": ["nobody.invalid:9092"]}, BrokerAwayError, "no such host"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else None,
)
def test_the_reason_is_named(
    login: dict[str, Any], change: dict[str, Any], kind: type[NoEntryError], setting: str
) -> None:
    found = probed(login | change)
    assert type(found) is kind
    assert setting in str(found)
    assert WRONG not in str(found) and login["password"]["value"] not in str(found)


@pytest.mark.claim("a certificate of another authority is refused by name before any login is sent")
def test_another_authority_is_not_trusted(login: dict[str, Any], tmp_path: Path) -> None:
    other = make_certificates(tmp_path / "other").ca_file
    found = probed(login | {"ca_file": str(other)})
    assert isinstance(found, CertificateRefusedError)
    assert ssl.create_default_context(cafile=str(other))


@pytest.mark.claim("TLS and logins against a plain listener are named as such")
@pytest.mark.parametrize(("protocol", "said"), [("SASL_SSL", "no TLS"), ("SASL_PLAINTEXT", "no login")])
def test_a_plain_listener_is_named(
    login: dict[str, Any], secure_kafka: SecureKafkaPart, protocol: str, said: str
) -> None:
    found = probed(login | {"brokers": [secure_kafka.admin_brokers], "security_protocol": protocol})
    assert isinstance(found, ProtocolMismatchError) and said in str(found)


@pytest.mark.claim("of several brokers the reason of the one that came furthest is told")
def test_the_reason_that_matters_is_told(login: dict[str, Any]) -> None:
    section = login | {"brokers": ["127.0.0.1:1", *login["brokers"]], "password": {"value": WRONG}}
    assert isinstance(probed(section), WrongPasswordError)


@pytest.fixture
def stage(secure_kafka: SecureKafkaPart, tmp_path: Path) -> Iterator[SecureStage]:
    with ExitStack() as stack:
        yield SecureStage(secure_kafka, tmp_path, stack)


@pytest.mark.claim("a running role's readiness names the reason, never the password, and recovers by itself")
def test_a_role_with_the_wrong_password_says_so_and_recovers(stage: SecureStage) -> None:
    password = stage.folder / "password"
    password.write_text(WRONG, encoding="utf-8")
    worker = stage.role("forward", password={"file": str(password)}).start()
    until(lambda: WrongPasswordError.__name__ in worker.detail(), worker.readiness)
    assert worker.readiness()["ready"] is False
    assert WRONG not in str(worker.readiness()) and WRONG not in worker.log()
    password.write_text(stage.passwords["davylamp-forward"], encoding="utf-8")
    worker.wait_ready()
