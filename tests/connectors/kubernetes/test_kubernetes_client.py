"""What the client makes of answers: bounded, told by kind, without the server's words or our token."""

from __future__ import annotations

import traceback
from collections.abc import Callable

import httpx
import pytest

from connectors.kubernetes.client import MAX_ANSWER_BYTES, MAX_LISTED, KubernetesClient
from connectors.kubernetes.error import (
    KubernetesAwayError,
    KubernetesConflictError,
    KubernetesDeniedError,
    KubernetesError,
    KubernetesMissingError,
    KubernetesRefusedError,
)
from connectors.kubernetes.kinds import POD

TOKEN = "canary-token-of-ours"


def client(answer: Callable[[httpx.Request], httpx.Response]) -> KubernetesClient:
    inner = httpx.Client(base_url="https://api.example", transport=httpx.MockTransport(answer))
    return KubernetesClient("https://api.example", lambda: TOKEN, client=inner)


@pytest.mark.parametrize(
    ("status", "reason", "kind"),
    [
        (401, "Unauthorized", KubernetesDeniedError),
        (403, "Forbidden", KubernetesDeniedError),
        (404, "NotFound", KubernetesMissingError),
        (409, "AlreadyExists", KubernetesConflictError),
        (412, "Conflict", KubernetesConflictError),
        (422, "Invalid", KubernetesRefusedError),
        (429, "x", KubernetesAwayError),
        (500, "x", KubernetesAwayError),
        (504, "x", KubernetesAwayError),
        (302, "x", KubernetesRefusedError),
    ],
)
def test_an_answer_is_told_by_kind_without_the_servers_words(status, reason, kind):
    said = {"kind": "Status", "reason": reason, "message": "hostile <script> text"}
    with pytest.raises(kind) as error:
        client(lambda _request: httpx.Response(status, json=said)).get(POD, "shop", "web-1")
    assert "hostile" not in str(error.value)
    assert error.value.status == status


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff\xfe", b"<html>"])
def test_an_answer_that_is_none_is_refused(body):
    with pytest.raises(KubernetesRefusedError):
        client(lambda _request: httpx.Response(200, content=body)).get(POD, "shop", "web-1")


def test_an_answer_without_end_is_cut():
    with pytest.raises(KubernetesRefusedError, match="too long"):
        client(lambda _request: httpx.Response(200, content=b" " * (MAX_ANSWER_BYTES + 1))).get(
            POD, "shop", "web-1"
        )


def test_a_list_is_read_page_by_page_and_never_judged_by_a_part():
    pages = {
        "": {"items": [{"n": 1}], "metadata": {"continue": "x"}},
        "x": {"items": [{"n": 2}], "metadata": {}},
    }

    def page(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=pages[request.url.params.get("continue", "")])

    assert client(page).listed(POD, "shop") == [{"n": 1}, {"n": 2}]
    endless = {"items": [{}] * 1000, "metadata": {"continue": "x"}}
    with pytest.raises(KubernetesRefusedError, match=f"more than {MAX_LISTED} pods"):
        client(lambda _request: httpx.Response(200, json=endless)).listed(POD, "shop")


def test_no_error_carries_our_token():
    def broken(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout(TOKEN, request=request)

    with pytest.raises(KubernetesAwayError) as error:
        client(broken).get(POD, "shop", "web-1")
    shown = "".join(traceback.TracebackException.from_exception(error.value).format())
    assert TOKEN not in shown
    assert error.value.__context__ is None


def test_a_token_that_cannot_be_read_is_an_absence():
    def unreadable() -> str:
        raise OSError("gone")

    inner = httpx.Client(
        base_url="https://api.example", transport=httpx.MockTransport(lambda _r: httpx.Response(200))
    )
    with pytest.raises(KubernetesAwayError, match="not sent"):
        KubernetesClient("https://api.example", unreadable, client=inner).get(POD, "shop", "web-1")


def test_a_review_that_says_nothing_is_no_right():
    right = POD.may("list", "shop")
    for status in ({}, {"allowed": False}, {"allowed": True, "denied": True}, {"allowed": "true"}):
        answer = {"status": status}
        asked = client(lambda _request, answer=answer: httpx.Response(201, json=answer))
        assert asked.missing([right]) == [right]
    assert client(lambda _r: httpx.Response(201, json={"status": {"allowed": True}})).missing([right]) == []


def test_every_error_is_of_one_family():
    assert issubclass(KubernetesAwayError, KubernetesError)
