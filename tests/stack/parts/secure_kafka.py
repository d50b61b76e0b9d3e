"""Apache Kafka that wants TLS, an ACL for everything, and a login: SCRAM, bearer token or certificate."""

# pyright: reportPrivateImportUsage=false
# confluent-kafka documents these names in this module and does not list them in __all__.
from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any, Final

from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from kafka.certificates import Certificates, make_certificates
from kafka.waiting import until
from parts.kafka import KafkaPart

from daemon.demo.parts.ports import LOOPBACK, answers, free_ports

_ITERATIONS: Final = 4096
_ANSWER_S: Final = 10.0
_BEARER: Final = (
    "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required "
    'unsecuredLoginStringClaim_sub="broker";'
)
_SCRAM: Final = "org.apache.kafka.common.security.scram.ScramLoginModule required;"


def every_acl(
    name: str | None = None, operation: AclOperation = AclOperation.ANY, principal: str | None = None
) -> AclBindingFilter:
    """Return a filter for ACLs on the resource `name`, `operation`, `principal`; without them, for all."""
    kind: Any = (ResourceType.ANY, name, ResourcePatternType.ANY)
    return AclBindingFilter(*kind, principal, None, operation, AclPermissionType.ANY)  # type: ignore[arg-type]


class SecureKafkaPart(KafkaPart):
    """`brokers` is the SASL_SSL listener; `admin_brokers` a plain one, whose callers are the super user.

    `certificate_brokers` is a listener that asks for a client's certificate and takes its common name as the
    user. Bearer tokens are checked by Kafka's own validator of unsecured tokens: what is tested is our side.

    The broker names itself 127.0.0.1 on both; its certificate holds `localhost` and 127.0.0.1.
    """

    name: str = "Apache Kafka, TLS + SCRAM + ACLs"

    def __init__(self, folder: Path) -> None:
        """Prepare a broker with data, certificates and log in `folder`."""
        super().__init__(folder)
        self._secure_port, self._certificate_port = free_ports(2)
        self.admin_brokers = f"{LOOPBACK}:{self.port}"
        self.brokers = f"{LOOPBACK}:{self._secure_port}"
        self.certificate_brokers = f"{LOOPBACK}:{self._certificate_port}"
        self._certificates: Certificates | None = None

    @property
    def ca_file(self) -> Path:
        """The authority that the broker's certificate comes from."""
        return self._made().ca_file

    def answers(self) -> bool:
        """Return whether all listeners accept connections."""
        return all(map(answers, (self.port, self._secure_port, self._certificate_port)))

    def properties(self) -> dict[str, str]:
        """Return the plain broker's properties with a secured listener and an authorizer."""
        listeners = ",".join(
            (
                f"SASL_SSL://{self.brokers}",
                f"SSL://{self.certificate_brokers}",
                f"PLAINTEXT://{self.admin_brokers}",
            )
        )
        protocols = ("CONTROLLER:PLAINTEXT", *(f"{name}:{name}" for name in ("PLAINTEXT", "SSL", "SASL_SSL")))
        return super().properties() | {
            "listeners": f"{listeners},{self.controller_listener()}",
            "advertised.listeners": listeners,
            "inter.broker.listener.name": "PLAINTEXT",
            "listener.security.protocol.map": ",".join(protocols),
            "sasl.enabled.mechanisms": "SCRAM-SHA-512,OAUTHBEARER",
            "listener.name.ssl.ssl.client.auth": "required",
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(self._made().ca_file),
            "ssl.principal.mapping.rules": "RULE:^CN=([^,]+)$/$1/",
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(self._made().keystore),
            "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": _SCRAM,
            "listener.name.sasl_ssl.oauthbearer.sasl.jaas.config": _BEARER,
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",
            "allow.everyone.if.no.acl.found": "false",
        }

    def certificate_of(self, name: str) -> tuple[Path, Path]:
        """Make a certificate for a user of the certificate listener; return its file and that of its key."""
        return self._made().issue(name)

    def add_user(self, name: str) -> str:
        """Make a user, or give it a new password; return the password."""
        password = secrets.token_urlsafe(18)
        info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, _ITERATIONS)
        change = UserScramCredentialUpsertion(name, info, password.encode())
        admin = self._admin()
        for future in admin.alter_user_scram_credentials([change]).values():
            future.result(_ANSWER_S)
        return password

    def acls(self) -> list[AclBinding]:
        """Return every ACL that the broker holds."""
        admin = self._admin()
        return list(admin.describe_acls(every_acl()).result(_ANSWER_S))

    def remove_acls(self, unwanted: AclBindingFilter) -> int:
        """Take away the ACLs that the filter names; return how many there were, once the broker knows."""
        admin = self._admin()
        gone = sum(len(future.result(_ANSWER_S)) for future in admin.delete_acls([unwanted]).values())
        until(lambda: not admin.describe_acls(unwanted).result(_ANSWER_S), self.acls, _ANSWER_S)
        return gone

    def _admin(self) -> AdminClient:
        """A client of the super user. Keep it in a variable until its futures are resolved."""
        return AdminClient({"bootstrap.servers": self.admin_brokers, "log_level": 0})

    def _made(self) -> Certificates:
        if self._certificates is None:
            self._certificates = make_certificates(self.folder / "certificates")
        return self._certificates
