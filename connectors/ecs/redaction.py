"""Secrets out of everything that leaves: by the name of the key, and by the shape of the text.

Hashed values (`hmac-sha256:`) stay: they compare equal within one audit device and reveal nothing.
"""

from __future__ import annotations

import re
from typing import Any, Final

MASK: Final = "[redacted]"
STRING_LIMIT: Final = 8 * 1024
LIST_LIMIT: Final = 1_000
_HASHED: Final = "hmac-sha256:"
_SECRET_KEYS: Final = frozenset(
    {
        "password",
        "passwd",
        "pwd",
        "passphrase",
        "masteruserpassword",
        "newpassword",
        "oldpassword",
        "secret",
        "secretaccesskey",
        "secretstring",
        "secretbinary",
        "secretkey",
        "sessiontoken",
        "token",
        "idtoken",
        "accesstoken",
        "refreshtoken",
        "clienttoken",
        "clientsecret",
        "privatekey",
        "privatekeydata",
        "keymaterial",
        "plaintext",
        "apikey",
        "authorization",
        "credentials",
        "jwt",
        "otp",
        "unsealkey",
        "rootkey",
        "stringdata",
    }
)
_WHOLE_OBJECTS: Final = frozenset({"stringdata"})
_TOKENS: Final = re.compile(
    r"(?<![A-Za-z0-9])(?:hv[sbr]|[sbr])\.[A-Za-z0-9_-]{20,}"
    r"|eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]*"
    r"|(?<![A-Za-z0-9/+=])(?=[a-z0-9/+]{0,39}[A-Z])(?=[A-Z0-9/+]{0,39}[a-z])(?=[A-Za-z/+]{0,39}[0-9])"
    r"[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])"
    r"|-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[^-]{0,8192}(?:-----END [A-Z ]{0,30}PRIVATE KEY-----)?"
)
_ASSIGNED: Final = re.compile(
    r"((?:pass(?:word|wd|phrase)?|pwd|secret(?:_?(?:access_?)?(?:key|string|text|value))?|token|api_?key)"
    r"(?:=|%3[dD]|\\{0,4}[\"']\s{0,4}[:=]\s{0,4}|:\s{1,4})(?:\\{0,4}[\"'])?)"
    r"(?!hmac-sha256:|\[redacted)([^\s\"'&,;}\\]{1,512})",
    re.IGNORECASE,
)
_BASIC: Final = re.compile(r"(://[^/\s:@]{0,128}:)[^/\s@]{1,256}(?=@)")
_HINT: Final = re.compile(r"pass|pwd|secret|token|key|://", re.IGNORECASE)


def redact_text(text: str) -> str:
    """Return `text` with vault tokens, AWS secret keys, JWTs, private keys and `password=...` masked."""
    if len(text) < 8 or text.startswith("arn:"):
        return text
    if len(text) >= 20:
        text = _TOKENS.sub(MASK, text)
    if _HINT.search(text):
        text = _ASSIGNED.sub(rf"\1{MASK}", text)
        text = _BASIC.sub(rf"\1{MASK}", text)
    return text


def redact(value: Any) -> Any:
    """Return a copy of JSON `value` without secrets; texts over 8 KiB and lists over 1,000 are cut."""
    if isinstance(value, str):
        if len(value) > STRING_LIMIT:
            return redact_text(value[: STRING_LIMIT + 512])[:STRING_LIMIT] + " [cut]"
        return redact_text(value)
    if isinstance(value, dict):
        named = value.get("name")
        if isinstance(named, str) and _is_secret(named) and isinstance(value.get("value"), str):
            value = {**value, "value": MASK}
        return {key: _redact_at(key, item) for key, item in value.items()}
    if isinstance(value, list):
        return [redact(item) for item in value[:LIST_LIMIT]]
    return value


def mask(value: Any) -> Any:
    """Return `value` with every text below it masked, except hashed ones; numbers and booleans stay."""
    if isinstance(value, str):
        return value if value.startswith(_HASHED) or not value else MASK
    if isinstance(value, dict):
        return {key: mask(item) for key, item in value.items()}
    if isinstance(value, list):
        return [mask(item) for item in value[:LIST_LIMIT]]
    return value


def _redact_at(key: str, value: Any) -> Any:
    """A secret-named text or list is masked; an object below such a name is read further (volumes)."""
    if not _is_secret(key):
        return redact(value)
    if isinstance(value, dict) and key.lower() not in _WHOLE_OBJECTS:
        return redact(value)
    return mask(value)


def _is_secret(key: str) -> bool:
    if len(key) > 64:
        return False
    plain = key.replace("_", "").replace("-", "").lower()
    return plain in _SECRET_KEYS or plain.endswith(("password", "passwd", "secretkey"))
