"""What the AWS client makes of answers, and that a signature is AWS's own example's."""

from __future__ import annotations

import traceback
from collections.abc import Callable

import httpx
import pytest

from connectors.aws.client import MAX_ANSWER_BYTES, AwsClient, Credentials
from connectors.aws.error import AwsAwayError, AwsDeniedError, AwsError, AwsRefusedError
from connectors.aws.iam import Iam
from connectors.vault.secret_text import SecretText

SECRET = "canary-secret-key"
OURS = Credentials("AKIAEXAMPLE", SecretText(SECRET), SecretText("canary-session"))
ENDPOINTS = {"iam": "https://iam.example/", "sts": "https://sts.example/"}


def iam(answer: Callable[[httpx.Request], httpx.Response]) -> Iam:
    made = AwsClient(ENDPOINTS, "us-east-1", transport=httpx.MockTransport(answer))  # type: ignore[arg-type]
    return Iam(made, lambda: OURS)


def error_of(status: int, code: str) -> httpx.Response:
    text = f"<ErrorResponse><Error><Code>{code}</Code><Message>hostile</Message></Error></ErrorResponse>"
    return httpx.Response(status, content=text)


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (403, "AccessDenied", AwsDeniedError),
        (403, "InvalidClientTokenId", AwsRefusedError),
        (403, "SignatureDoesNotMatch", AwsRefusedError),
        (404, "NoSuchEntity", AwsRefusedError),
        (400, "Throttling", AwsAwayError),
        (500, "InternalFailure", AwsAwayError),
        (503, "ServiceUnavailable", AwsAwayError),
        (418, "NewCode", AwsRefusedError),
    ],
)
def test_an_answer_is_told_by_kind_without_awss_words(status, code, kind):
    with pytest.raises(kind) as error:
        iam(lambda _request: error_of(status, code)).access_keys("etl")
    assert "hostile" not in str(error.value) and "NewCode" not in str(error.value)


@pytest.mark.parametrize("body", ["", "<a", "{}", '<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>'])
def test_an_answer_that_is_none_is_an_absence(body):
    with pytest.raises(AwsAwayError):
        iam(lambda _request: httpx.Response(200, content=body)).access_keys("etl")


def test_an_answer_without_end_is_cut():
    with pytest.raises(AwsRefusedError, match="too long"):
        iam(lambda _request: httpx.Response(200, content=b" " * (MAX_ANSWER_BYTES + 1))).access_keys("etl")


def test_keys_are_read_with_their_state():
    member = (
        "<member><AccessKeyId>AKIA{0}</AccessKeyId><Status>{1}</Status>"
        "<CreateDate>2026-11-23T08:00:00Z</CreateDate></member>"
    )
    listed = member.format("1", "Active") + member.format("2", "Inactive")
    text = (
        '<ListAccessKeysResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><ListAccessKeysResult>'
        f"<AccessKeyMetadata>{listed}</AccessKeyMetadata></ListAccessKeysResult></ListAccessKeysResponse>"
    )
    first, second = iam(lambda _request: httpx.Response(200, content=text)).access_keys("etl")
    assert (first.id, first.active, second.active) == ("AKIA1", True, False)
    assert first.created_at == 1795420800.0


def test_what_is_gone_already_is_no_error():
    gone = iam(lambda _request: error_of(404, "NoSuchEntity"))
    gone.delete_access_key("etl", "AKIA")
    gone.delete_policy("Role", "etl", "p")
    assert gone.policy("Role", "etl", "p") is None


def test_a_call_is_signed_for_its_service_with_the_sessions_token():
    seen: list[httpx.Request] = []

    def keep(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, content="<R><Arn>arn:aws:iam::1:user/x</Arn></R>")

    assert iam(keep).whoami() == "arn:aws:iam::1:user/x"
    (request,) = seen
    assert "/us-east-1/sts/aws4_request" in request.headers["Authorization"]
    assert request.headers["x-amz-security-token"] == "canary-session"
    assert request.content == b"Action=GetCallerIdentity&Version=2011-06-15"
    assert SECRET not in str(request.headers) + request.content.decode()


def test_no_error_carries_our_credentials():
    def broken(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError(SECRET, request=request)

    with pytest.raises(AwsError) as error:
        iam(broken).create_access_key("etl")
    shown = "".join(traceback.TracebackException.from_exception(error.value).format())
    assert SECRET not in shown and "canary" not in shown
    assert error.value.__context__ is None
