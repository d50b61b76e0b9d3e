"""Why the brokers do not let us in.

aiokafka says "Unable to bootstrap" for a wrong password, an unknown user, another mechanism, a certificate
that is not trusted and plain text spoken to TLS alike. Here the same steps are taken one by one, with the
same settings: TCP, TLS, versions, login, metadata. No text holds the password.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
from typing import Any, Final, Literal, cast

from aiokafka.conn import AIOKafkaConnection, OAuthAuthenticator, ScramAuthenticator, collect_hosts
from aiokafka.errors import (
    IllegalSaslStateError,
    KafkaConnectionError,
    KafkaError,
    NodeNotReadyError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)
from aiokafka.protocol.metadata import MetadataRequest

from config.kafka import Kafka
from connectors.kafka.client import CLIENT_ID, connection_options
from connectors.kafka.error import (
    BrokerAwayError,
    BrokerSilentError,
    CertificateRefusedError,
    ClientCertificateRefusedError,
    LoginRefusedError,
    MechanismRefusedError,
    NoEntryError,
    ProtocolMismatchError,
    UnknownUserError,
    WrongPasswordError,
    told,
)
from connectors.kafka.tls import FollowedContext

# After a refused token aiokafka believes that it is in, and learns of no brokers (measured).
SHUT_OUT: Final = (KafkaConnectionError, NodeNotReadyError)
_TIMEOUT_S: Final = 3.0
_TIMEOUT_MS: Final = int(_TIMEOUT_S * 1000)
_PROTOCOL: Final = "kafka.security_protocol"


async def why_no_entry(kafka: Kafka) -> NoEntryError | None:
    """Try every broker; return None as soon as one lets us in, else the reason of the one that came furthest.

    Takes at most some seconds a broker. Raises config.secret.SecretUnreadableError, and OSError for an
    unreadable certificate file.
    """
    options = connection_options(kafka)
    found: NoEntryError | None = None
    for host, port, _ in collect_hosts(options.pop("bootstrap_servers"), randomize=False):
        refusal = await _try(host, port, kafka, options)
        if refusal is None:
            return None
        if found is None or refusal.depth > found.depth:
            found = refusal
    return found


async def reason_of(error: BaseException, kafka: Kafka) -> str:
    """Return `error` as one line; for a refused connection, with the reason that a probe finds."""
    if isinstance(error, SHUT_OUT) and not isinstance(error, NoEntryError):
        return told(await why_no_entry(kafka) or error)
    return told(error)


class _Scram(ScramAuthenticator):
    """Notes whether the broker sent a salt (RFC 5802, section 3): Kafka has none for a user it knows not."""

    known_user = False

    def process_server_first_message(self, server_first: str) -> None:
        """Note the broker's answer to the user name."""
        self.known_user = True
        super().process_server_first_message(server_first)


class _Bearer(OAuthAuthenticator):
    """Takes an answer with text for the refusal that it is (RFC 7628, section 3.2.2); aiokafka goes on."""

    async def step(self, payload: bytes | None) -> tuple[bytes, Literal[True]] | None:
        """Return what to send next. Raises SaslAuthenticationFailed."""
        if payload:
            raise SaslAuthenticationFailed("the token is refused")
        return await super().step(payload)


class _Connection(AIOKafkaConnection):
    """A connection that keeps its SCRAM conversation."""

    scram: _Scram | None = None

    def authenticator_oauth(self) -> _Bearer:
        """Return the conversation, as aiokafka makes it."""
        return _Bearer(sasl_oauth_token_provider=cast(Any, self)._sasl_oauth_token_provider)

    def authenticator_scram(self) -> _Scram:
        """Return the conversation, as aiokafka makes it."""
        mine = cast(Any, self)
        self.scram = _Scram(
            loop=mine._loop,
            sasl_plain_password=mine._sasl_plain_password,
            sasl_plain_username=mine._sasl_plain_username,
            sasl_mechanism=mine._sasl_mechanism,
        )
        return self.scram


async def _try(host: str, port: int, kafka: Kafka, options: dict[str, Any]) -> NoEntryError | None:
    broker = f"{host}:{port}"
    refused = await _no_tcp(broker, host, port)
    if refused is not None:
        return refused
    chosen = {name: options[name] for name in options if name.startswith(("ssl_", "sasl_", "security_"))}
    connection = _Connection(host, port, client_id=CLIENT_ID, request_timeout_ms=_TIMEOUT_MS, **chosen)
    try:
        await connection.connect()
        await connection.send(MetadataRequest([]))
    except (KafkaError, OSError, TimeoutError) as error:
        return await _reason(broker, host, port, kafka, error, connection.scram)
    finally:
        await _closed(connection)
    return None


async def _no_tcp(broker: str, host: str, port: int) -> NoEntryError | None:
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            _, writer = await asyncio.open_connection(host, port)
    except TimeoutError:
        return BrokerAwayError(f"{broker}: no answer within {_TIMEOUT_S:g} s (kafka.brokers, network)")
    except socket.gaierror:
        return BrokerAwayError(f"{broker}: no such host name (kafka.brokers)")
    except OSError as error:
        reason = os.strerror(error.errno).lower() if error.errno else type(error).__name__
        return BrokerAwayError(f"{broker}: {reason} (kafka.brokers; is the broker up?)")
    await _ended(writer)
    return None


async def _reason(
    broker: str, host: str, port: int, kafka: Kafka, error: Exception, scram: _Scram | None
) -> NoEntryError:
    if isinstance(error, ssl.SSLCertVerificationError):
        return CertificateRefusedError(
            f"{broker}: certificate not trusted: {error.verify_message} (kafka.ca_file)"
        )
    if isinstance(error, UnsupportedSaslMechanismError):
        return MechanismRefusedError(f"{broker}: does not take {kafka.sasl_mechanism} (kafka.sasl_mechanism)")
    if isinstance(error, SaslAuthenticationFailed):
        return _login_refused(broker, kafka, scram)
    spoken = kafka.security_protocol
    if isinstance(error, IllegalSaslStateError):
        return ProtocolMismatchError(f"{broker}: the listener wants no login, {_PROTOCOL} is {spoken}")
    with_tls = spoken in ("SSL", "SASL_SSL")
    if not with_tls and await _speaks_tls(host, port):
        return ProtocolMismatchError(f"{broker}: the listener speaks TLS, {_PROTOCOL} is {spoken}")
    if with_tls and await _speaks_plain(host, port):
        return ProtocolMismatchError(f"{broker}: the listener speaks no TLS, {_PROTOCOL} is {spoken}")
    if with_tls and (alert := await _certificate_alert(host, port, kafka)):
        ours = f"{kafka.cert_file} is" if kafka.cert_file else "we show none: it is"
        return ClientCertificateRefusedError(
            f"{broker}: {alert}: {ours} what it decides by (kafka.cert_file, kafka.key_file)"
        )
    if spoken in ("PLAINTEXT", "SSL") and isinstance(error, KafkaConnectionError):
        return ProtocolMismatchError(
            f"{broker}: closed the connection at the first question: it wants a login, or is no Kafka; "
            f"{_PROTOCOL} is {spoken}"
        )
    return BrokerSilentError(f"{broker}: {type(error).__name__} while connecting by {spoken}")


def _login_refused(broker: str, kafka: Kafka, scram: _Scram | None) -> NoEntryError:
    """Tell user from password: the broker's words are the same, but without a user it sends no salt."""
    if kafka.sasl_mechanism == "OAUTHBEARER":
        return LoginRefusedError(f"{broker}: refuses the token: expired, or for others? (kafka.token)")
    user = f"{kafka.username!r} by {kafka.sasl_mechanism}"
    if scram is None:
        return LoginRefusedError(f"{broker}: refuses the login of {user} (kafka.username, kafka.password)")
    if scram.known_user:
        return WrongPasswordError(f"{broker}: refuses the password of {user} (kafka.password)")
    return UnknownUserError(f"{broker}: knows no user {user} (kafka.username)")


async def _speaks_tls(host: str, port: int) -> bool:
    """Shake hands with whatever certificate there is; nothing is sent, so nothing is given away."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            _, writer = await asyncio.open_connection(host, port, ssl=context)
    except (OSError, TimeoutError):
        return False
    await _ended(writer)
    return True


async def _certificate_alert(host: str, port: int, kafka: Kafka) -> str:
    """Return what a broker says of our certificate: by TLS 1.3 that comes after the handshake."""
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            reader, writer = await asyncio.open_connection(host, port, ssl=FollowedContext.of(kafka))
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                await reader.read(1)
        finally:
            await _ended(writer)
    except ssl.SSLError as error:
        words = (error.reason or "").replace("_", " ").lower()
        return words if "certificate" in words or "unknown ca" in words else ""
    except (OSError, TimeoutError):
        return ""
    return ""


async def _speaks_plain(host: str, port: int) -> bool:
    """Ask for the versions without TLS and without a login."""
    connection = AIOKafkaConnection(
        host,
        port,
        client_id=CLIENT_ID,
        request_timeout_ms=int(_TIMEOUT_S * 1000),
        security_protocol="PLAINTEXT",
    )
    try:
        await connection.connect()
    except (KafkaError, OSError, TimeoutError):
        return False
    finally:
        await _closed(connection)
    return True


async def _closed(connection: AIOKafkaConnection) -> None:
    """Close it, and wait until its socket is, if there ever was one."""
    closing: asyncio.Future[None] | None = connection.close()
    if closing is not None and cast(Any, connection)._protocol is not None:
        await asyncio.wait([closing], timeout=_TIMEOUT_S)


async def _ended(writer: asyncio.StreamWriter) -> None:
    """Close it, and wait until its socket is; how the other side takes that is all the same."""
    writer.close()
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(_TIMEOUT_S):
            await writer.wait_closed()
