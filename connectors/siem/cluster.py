"""HTTP to one cluster behind one or more addresses; answers are bounded, the credential never shows."""

from __future__ import annotations

import asyncio
import gzip
import ssl
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import httpx

from config.secret import SecretUnreadableError
from connectors.siem.answer import Answer
from connectors.siem.target import AnswerTooLargeError, NoAnswerInTimeError, RefusedError, TargetAwayError

JSON: Final = "application/json"
NDJSON: Final = "application/x-ndjson"
MAX_ANSWER_BYTES: Final = 32 * 1024 * 1024
_ELSEWHERE: Final = frozenset({502, 503, 504})
_NOT_NOW: Final = frozenset({429, 500, *_ELSEWHERE})
_ROOT_BYTES: Final = 64 * 1024


class Cluster:
    """One cluster. The address that answered last is asked first; one that is away gives way to the next.

    `authorization` returns the header's value, read anew for each request, or None. `identify` gets the
    answer of ``GET /`` of each address before anything else is asked there, and raises RefusedError when
    that is not the product.
    """

    def __init__(
        self,
        name: str,
        urls: Sequence[str],
        *,
        authorization: Callable[[], str | None],
        identify: Callable[[Answer], str],
        ca_file: Path | None = None,
        timeout_s: float = 30.0,
        compress: bool = False,
    ) -> None:
        self.name = name
        self.version = ""
        self._urls = tuple(urls)
        self._authorization = authorization
        self._identify = identify
        self._ca_file = ca_file
        self._timeout_s = timeout_s
        self._compress = compress
        self._client: httpx.AsyncClient | None = None
        self._at = 0
        self._identified: set[str] = set()

    async def open(self) -> None:
        """Make the client; connections are made on first use. Raises TargetAwayError."""
        await self.close()
        self._credential()
        try:
            trust = ssl.create_default_context(cafile=str(self._ca_file)) if self._ca_file else True
        except OSError as error:
            raise TargetAwayError(f"{self.name}: {self._ca_file}: {error.strerror or 'no CA'}") from None
        self._client = httpx.AsyncClient(
            verify=trust, timeout=self._timeout_s, trust_env=False, follow_redirects=False
        )

    async def close(self) -> None:
        """Close the connections."""
        self._identified.clear()
        if self._client is not None:
            client, self._client = self._client, None
            await client.aclose()

    async def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        query: Mapping[str, str] | None = None,
        content_type: str = JSON,
        max_bytes: int = MAX_ANSWER_BYTES,
    ) -> Answer:
        """Return the answer, whatever its status, of the first address that answers.

        Raises TargetAwayError (no address answers), NoAnswerInTimeError, RefusedError (wrong product,
        refused credential) and AnswerTooLargeError.
        """
        reason = ""
        for _ in self._urls:
            url = self._urls[self._at]
            try:
                if url not in self._identified:
                    await self._identify_at(url)
                answer = await self._send(url, method, path, body, query or {}, content_type, max_bytes)
            except (RefusedError, NoAnswerInTimeError, AnswerTooLargeError):
                self._next()
                raise
            except TargetAwayError as error:
                reason = str(error)
                self._identified.discard(url)
                self._next()
                continue
            if answer.status in _ELSEWHERE:
                self._next()
            return answer
        raise TargetAwayError(reason)

    async def _identify_at(self, url: str) -> None:
        try:
            answer = await self._send(url, "GET", "/", None, {}, JSON, _ROOT_BYTES)
            if answer.status in _NOT_NOW:
                raise TargetAwayError(f"{self.name}: {url} answered {answer.status}")
            self.version = self._identify(answer)
        except AnswerTooLargeError:
            raise RefusedError(f"{self.name}: {url}: GET / gives more than a cluster would say") from None
        except RefusedError as error:
            raise RefusedError(f"{self.name}: {url}: {error}") from None
        self._identified.add(url)

    async def _send(
        self,
        url: str,
        method: str,
        path: str,
        body: bytes | None,
        query: Mapping[str, str],
        content_type: str,
        max_bytes: int,
    ) -> Answer:
        if self._client is None:
            raise TargetAwayError(f"{self.name}: not open")
        headers = {"Accept": JSON, "Accept-Encoding": "identity", **self._credential()}
        if body is not None:
            headers["Content-Type"] = content_type
            if self._compress:
                body = await asyncio.to_thread(gzip.compress, body, 1)
                headers["Content-Encoding"] = "gzip"
        try:
            async with self._client.stream(
                method, url + path, params=dict(query), content=body, headers=headers
            ) as response:
                return Answer(
                    response.status_code, response.headers, await _bounded(self.name, response, max_bytes)
                )
        except (httpx.ReadTimeout, httpx.WriteTimeout):
            raise NoAnswerInTimeError(f"{self.name}: {url} gave no answer in {self._timeout_s:g} s") from None
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise TargetAwayError(f"{self.name}: {url}: {_why(error)}") from None

    def _credential(self) -> dict[str, str]:
        try:
            value = self._authorization()
        except SecretUnreadableError as error:
            raise TargetAwayError(f"{self.name}: {error}") from None
        if value is None:
            return {}
        if not (value.isascii() and value.isprintable()):
            raise RefusedError(f"{self.name}: the credential holds characters that no header may hold")
        return {"Authorization": value}

    def _next(self) -> None:
        self._at = (self._at + 1) % len(self._urls)


async def _bounded(name: str, response: httpx.Response, limit: int) -> bytes:
    """Read the body as it came; it was asked for uncompressed, so that its size is what it says."""
    if response.headers.get("content-encoding", "identity") != "identity":
        raise TargetAwayError(f"{name}: a compressed answer that was not asked for")
    parts: list[bytes] = []
    size = 0
    async for part in response.aiter_raw():
        size += len(part)
        if size > limit:
            raise AnswerTooLargeError(f"{name}: an answer of over {limit} bytes")
        parts.append(part)
    return b"".join(parts)


def _why(error: BaseException) -> str:
    """Return why no connection came about: the TLS reason where there is one, never a request's content."""
    at: BaseException | None = error
    for _ in range(8):
        if at is None:
            break
        if isinstance(at, ssl.SSLCertVerificationError):
            return f"TLS: {at.verify_message}"
        if isinstance(at, ssl.SSLError):
            return f"TLS: {at.reason or 'failed'}"
        at = at.__cause__ or at.__context__
    if isinstance(error, httpx.ConnectTimeout):
        return "no connection in time"
    return "no connection" if isinstance(error, httpx.ConnectError) else type(error).__name__
