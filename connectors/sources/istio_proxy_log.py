"""What proxies log about themselves, between their access lines: Envoy, pilot-agent, ztunnel.

Such a line is no event. It ends as the reject `proxy_log`, so that it is counted under its own name.
"""

from __future__ import annotations

import re
from typing import Any, Final

_LEVELS: Final = rb"(?:trace|debug|info|warn|warning|error|critical|fatal)"
_LINE: Final = re.compile(
    rb"\s*(?:\[\d{4}-\d\d-\d\d [\d:.]{8,18}\]\[\d{1,10}\]\[" + _LEVELS + rb"\]"
    rb"|\d{4}-\d\d-\d\dT[\d:.]{8,18}(?:Z|[+-]\d\d:?\d\d)[\t ]{1,8}" + _LEVELS + rb"[\t ])"
)


def is_proxy_log_line(line: bytes) -> bool:
    """Return whether `line` begins as the log of Envoy, of Istio's agent or of ztunnel does."""
    return _LINE.match(line) is not None


def is_proxy_log(value: dict[str, Any]) -> bool:
    """Return whether `value` is one of these lines in JSON: level, time, scope and a message, no access."""
    if "start_time" in value or not isinstance(value.get("level"), str):
        return False
    said = value.get("msg", value.get("message"))
    return isinstance(value.get("scope"), str) and isinstance(said, str) and "time" in value
