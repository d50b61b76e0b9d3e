"""One call of AWS's Query protocol: a signed form, an XML answer of bounded size.

Sources: AWS "IAM API reference" and "STS API reference" (Query API, common errors), "Signature Version 4".
"""

from __future__ import annotations

import xml.etree.ElementTree as tree
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import httpx
from requests_aws4auth import AWS4Auth

from connectors.aws.error import AwsAwayError, AwsDeniedError, AwsError, AwsRefusedError
from connectors.vault.secret_text import SecretText

Service: TypeAlias = Literal["iam", "sts"]
MAX_ANSWER_BYTES: Final = 1024 * 1024
VERSIONS: Final[Mapping[Service, str]] = {"iam": "2010-05-08", "sts": "2011-06-15"}
DEAD: Final = frozenset(
    {
        "InvalidClientTokenId",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
        "InvalidAccessKeyId",
        "AuthFailure",
        "ExpiredToken",
    }
)
"""Codes that say: these credentials are none. A refusal of the service itself."""
_DENIED: Final = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"})
_AWAY: Final = frozenset({"Throttling", "ThrottlingException", "RequestLimitExceeded", "ServiceUnavailable"})
_KNOWN: Final = frozenset({"NoSuchEntity", "LimitExceeded", "EntityAlreadyExists", "ConcurrentModification"})


@dataclass(frozen=True, slots=True)
class Credentials:
    """A key pair, with a session's token when it is a temporary one."""

    access_key_id: str
    secret: SecretText
    session_token: SecretText | None = None


class AwsClient:
    """Calls IAM and STS. `endpoints` are the services' addresses; `region` is what is signed for.

    Every method raises AwsError. `timeout_s` bounds connecting, sending and each wait for the answer.
    """

    def __init__(
        self,
        endpoints: Mapping[Service, str],
        region: str,
        *,
        timeout_s: float = 5.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._endpoints = endpoints
        self._region = region
        self._client = httpx.Client(
            timeout=timeout_s, trust_env=False, follow_redirects=False, transport=transport
        )

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()

    def call(
        self, service: Service, action: str, credentials: Credentials, fields: Mapping[str, str] | None = None
    ) -> Answer:
        """Do one action; return its answer."""
        form = {"Action": action, "Version": VERSIONS[service], **(fields or {})}
        token = credentials.session_token
        sign = AWS4Auth(
            credentials.access_key_id,
            credentials.secret.reveal(),
            self._region,
            service,
            session_token=token.reveal() if token else None,
        )
        failure: AwsError
        try:
            with self._client.stream("POST", self._endpoints[service], data=form, auth=sign) as answer:
                return _read(f"{service}:{action}", answer)
        except httpx.HTTPError as error:
            failure = AwsAwayError(f"aws unreachable: {service}:{action} ({type(error).__name__})")
        raise failure


class Answer:
    """An XML answer; elements are named without their namespace."""

    def __init__(self, root: tree.Element) -> None:
        self._root = root

    def text(self, name: str) -> str:
        """Return the text of the first element of this name, "" when there is none."""
        return next((found for found in self.texts(name)), "")

    def texts(self, name: str) -> list[str]:
        """Return the texts of all elements of this name."""
        return [one.text or "" for one in self._root.iter() if _local(one) == name]

    def members(self, name: str) -> list[Answer]:
        """Return the members of the list called `name`."""
        lists = [one for one in self._root.iter() if _local(one) == name]
        return [Answer(member) for one in lists for member in one]


def _local(element: tree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _read(what: str, answer: httpx.Response) -> Answer:
    data = bytearray()
    for part in answer.iter_bytes():
        data += part
        if len(data) > MAX_ANSWER_BYTES:
            raise AwsRefusedError(f"the answer to {what} is too long", "other")
    parsed = _parsed(bytes(data))
    if answer.is_success and parsed is not None:
        return parsed
    raise _failure(what, answer.status_code, parsed.text("Code") if parsed else "")


def _parsed(data: bytes) -> Answer | None:
    """Return the answer, None for what is none. A document type is refused: entities could grow in it."""
    if b"<!DOCTYPE" in data:
        return None
    try:
        return Answer(tree.fromstring(data))  # noqa: S314
    except tree.ParseError:
        return None


def _failure(what: str, status: int, code: str) -> AwsError:
    if code in _DENIED:
        return AwsDeniedError(f"our credentials at aws may not {what}")
    if code in _AWAY or status >= 500 or status == 429:
        return AwsAwayError(f"aws answered {status} to {what}")
    if status < 300:
        return AwsAwayError(f"aws's answer to {what} cannot be read")
    known = code if code in DEAD | _KNOWN else "other"
    return AwsRefusedError(f"aws answered {status} {known} to {what}", known)
