"""Certificates of our own and bearer tokens: every role comes in with them, and follows their files."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from kafka.certificates import make_certificates
from kafka.records import CLOUDTRAIL, STOPPED, cloudtrail
from kafka.secure_stage import PLATFORM, SecureStage
from kafka.waiting import until
from parts.secure_kafka import SecureKafkaPart

from config.kafka import Kafka
from config.settings import Role
from connectors.kafka.client import connection_options
from connectors.kafka.error import ClientCertificateRefusedError, LoginRefusedError
from connectors.kafka.probe import why_no_entry

ROLES: tuple[Role, ...] = ("detect", "correlate", "forward")


@pytest.fixture
def stage(secure_kafka: SecureKafkaPart, tmp_path: Path) -> Iterator[SecureStage]:
    with ExitStack() as stack:
        yield SecureStage(secure_kafka, tmp_path, stack)


def token(user: str, lives_s: float = 3600.0) -> str:
    """Return an unsecured token (RFC 7515, appendix A.5), the kind that the broker of these tests takes."""
    now = time.time()
    parts = {"alg": "none"}, {"sub": user, "iat": now, "exp": now + lives_s}
    encoded = (base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts)
    return ".".join((*encoded, ""))


def by_certificate(part: SecureKafkaPart, user: str) -> dict[str, Any]:
    cert, key = part.certificate_of(user)
    return {
        "brokers": [part.certificate_brokers],
        "security_protocol": "SSL",
        "ca_file": str(part.ca_file),
        "cert_file": str(cert),
        "key_file": str(key),
        "username": None,
        "password": {},
    }


def by_token(part: SecureKafkaPart, user: str, folder: Path) -> dict[str, Any]:
    file = folder / f"{user}.token"
    file.write_text(token(user), encoding="utf-8")
    return {"sasl_mechanism": "OAUTHBEARER", "username": None, "password": {}, "token": {"file": str(file)}}


@pytest.mark.parametrize("how", ["certificate", "token"])
@pytest.mark.claim(
    "detect, correlate and forward come in by a client certificate (mTLS) or by SASL/OAUTHBEARER"
)
def test_every_role_comes_in(stage: SecureStage, secure_kafka: SecureKafkaPart, how: str) -> None:
    workers = []
    for role in ROLES:
        user = f"davylamp-{role}"
        certificate = how == "certificate"
        login = (
            by_certificate(secure_kafka, user) if certificate else by_token(secure_kafka, user, stage.folder)
        )
        workers.append(stage.role(role, **login).start())
    stage.user(PLATFORM).fill([(CLOUDTRAIL, 0, json.dumps(cloudtrail(1, STOPPED)).encode())])
    for worker in workers:
        worker.wait_ready()
    until(lambda: stage.admin.documents("davylamp.findings"), workers[0].status)


def probed(section: dict[str, Any]) -> Any:
    return asyncio.run(why_no_entry(Kafka.model_validate(section)))


@pytest.mark.claim(
    "a missing or foreign client certificate and a refused token are named with their settings"
)
def test_what_is_refused_is_named(secure_kafka: SecureKafkaPart, tmp_path: Path) -> None:
    good = by_certificate(secure_kafka, "davylamp-detect")
    assert probed(good) is None
    without = probed(good | {"cert_file": None, "key_file": None})
    assert isinstance(without, ClientCertificateRefusedError) and "kafka.cert_file" in str(without)
    other = make_certificates(tmp_path / "other").issue("davylamp-detect")
    foreign = probed(good | {"cert_file": str(other[0]), "key_file": str(other[1])})
    assert isinstance(foreign, ClientCertificateRefusedError) and str(other[0]) in str(foreign)
    old = token("davylamp-detect", -10.0)
    section = {
        "brokers": [secure_kafka.brokers],
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "OAUTHBEARER",
        "ca_file": str(secure_kafka.ca_file),
    }
    assert probed(section | {"token": {"value": token("davylamp-detect")}}) is None
    expired = probed(section | {"token": {"value": old}})
    assert (
        isinstance(expired, LoginRefusedError) and "kafka.token" in str(expired) and old not in str(expired)
    )


async def topics_seen(options: dict[str, Any]) -> list[str]:
    """Return the topics that the broker shows to whoever a new connection is."""
    admin = AIOKafkaAdminClient(**options)
    try:
        await admin.start()
        return await admin.list_topics()
    finally:
        await admin.close()


@pytest.mark.claim("a renewed client certificate is used by the next connection of a client that runs")
def test_a_renewed_certificate_is_followed(
    stage: SecureStage, secure_kafka: SecureKafkaPart, tmp_path: Path
) -> None:
    live = tmp_path / "tls.crt", tmp_path / "tls.key"
    section = by_certificate(secure_kafka, "stranger")

    def renew(user: str) -> None:
        for file, place in zip(secure_kafka.certificate_of(user), live, strict=True):
            shutil.copy(file, place)

    renew("stranger")
    given = section | {"cert_file": str(live[0]), "key_file": str(live[1])}
    options = connection_options(Kafka.model_validate(given))
    assert asyncio.run(topics_seen(options)) == []
    live[0].write_text("half written", encoding="utf-8")
    assert asyncio.run(topics_seen(options)) == [], "the certificate before is still in use"
    renew("davylamp-detect")
    assert CLOUDTRAIL in asyncio.run(topics_seen(options))


@pytest.mark.claim("a role whose token is refused says so, and comes in when its file is renewed")
@pytest.mark.parametrize("role", ROLES)
def test_a_refused_token_is_said_and_a_new_one_is_used(
    stage: SecureStage, secure_kafka: SecureKafkaPart, role: Role
) -> None:
    login = by_token(secure_kafka, f"davylamp-{role}", stage.folder)
    file = Path(login["token"]["file"])
    file.write_text(token(f"davylamp-{role}", -10.0), encoding="utf-8")
    worker = stage.role(role, **login).start()
    until(lambda: "kafka.token" in str(worker.readiness()), worker.readiness)
    assert worker.readiness()["ready"] is False
    assert file.read_text() not in worker.log() + str(worker.readiness())
    file.write_text(token(f"davylamp-{role}"), encoding="utf-8")
    worker.wait_ready()
