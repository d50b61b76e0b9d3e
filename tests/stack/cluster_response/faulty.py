"""A transport with one fault: an answer lost after the work was done, or a call that never left."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import httpx

Fault = Literal["timeout_after", "503_after", "timeout_before", "429", "torn"]


@dataclass
class Faulty(httpx.BaseTransport):
    """Passes calls on; the next one that is `method` on a path with `part` in it meets `fault`, once."""

    inner: httpx.BaseTransport
    method: str = ""
    part: str = ""
    fault: Fault | None = None
    seen: list[tuple[str, str]] = field(default_factory=list)

    def next(self, method: str, part: str, fault: Fault) -> None:
        """Plan the fault."""
        self.method, self.part, self.fault = method, part, fault

    def after(self, action: str, fault: Fault) -> None:
        """Plan the fault for the next call whose body has `action` in it (AWS's Query protocol)."""
        self.method, self.part, self.fault = "POST", f"Action={action}", fault

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Pass the request on, or make the fault of it."""
        self.seen.append((request.method, request.url.path))
        text = f"{request.url} {request.read().decode()}"
        if self.fault is None or request.method != self.method or self.part not in text:
            return self.inner.handle_request(request)
        fault, self.fault = self.fault, None
        if fault == "timeout_before":
            raise httpx.ConnectTimeout("planned", request=request)
        if fault == "429":
            return httpx.Response(429, json={"kind": "Status", "reason": "TooManyRequests"})
        answer = self.inner.handle_request(request)
        answer.read()
        answer.close()
        if fault == "timeout_after":
            raise httpx.ReadTimeout("planned", request=request)
        if fault == "torn":
            return httpx.Response(200, content=answer.content[: len(answer.content) // 2])
        return httpx.Response(503, json={"kind": "Status", "reason": "ServiceUnavailable"})

    def close(self) -> None:
        """Give the connections back."""
        self.inner.close()
