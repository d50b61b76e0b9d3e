"""Secrets out of everything that leaves: by the name of the key, and by the shape of the text.

Hashed values (`hmac-sha256:`) stay: they compare equal within one audit device and reveal nothing.
"""

from __future__ import annotations

import re
from typing import Any, Final

from connectors.ecs.kubernetes_command import without_arguments
from connectors.ecs.mask import MASK

STRING_LIMIT: Final = 8 * 1024
LIST_LIMIT: Final = 1_000
_HASHED: Final = "hmac-sha256:"
_WORDS: Final = (
    "password passwd pwd passphrase master_user_password new_password old_password secret secret_access_key "
    "secret_string secret_binary secret_key session_token token id_token access_token refresh_token "
    "client_token client_secret private_key private_key_data key_material plaintext api_key authorization "
    "credentials jwt otp unseal_key root_key string_data"
)
SECRET_KEYS: Final = frozenset(
    form for word in _WORDS.split() for form in (word, word.replace("_", ""), word.replace("_", "-"))
)
SECRET_ENDINGS: Final = ("password", "passwd", "secretkey", "secret_key", "_token", "secretaccesskey")
WHOLE_OBJECTS: Final = frozenset({"stringdata"})
_AFTER_DOT: Final = re.compile(r"\.[A-Za-z0-9_-]{20,}")
_JWT: Final = re.compile(r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]*")
_AWS_SECRET: Final = re.compile(
    r"(?<![A-Za-z0-9/+=])(?=[a-z0-9/+]{0,39}[A-Z])(?=[A-Z0-9/+]{0,39}[a-z])(?=[A-Za-z/+]{0,39}[0-9])"
    r"[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])"
)
_PRIVATE_KEY: Final = re.compile(
    r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[^-]{0,8192}(?:-----END [A-Z ]{0,30}PRIVATE KEY-----)?"
)
_ASSIGNED: Final = re.compile(
    r"((?:pass(?:word|wd|phrase)?|pwd|secret(?:_?(?:access_?)?(?:key|string|text|value))?|token|api_?key)"
    r"(?:=|%3[dD]|%3[aA](?:%20|\+)|\\{0,4}[\"']\s{0,4}[:=]\s{0,4}|:\s{1,4}|\s{1,4}(?=\S{40}(?:\s|$)))(?:\\{0,4}[\"'])?)"
    r"(?!hmac-sha256:|\[redacted)([^\s\"'&,;}\\]{1,512})",
    re.IGNORECASE,
)
_BODY: Final = re.compile(
    r"(\\{0,15}[\"'])(?:requestObject|responseObject|stringData|binaryData|data)\1\s{0,4}:\s{0,4}(?=[\[{])"
)
"""Where contents begin in a text that is a record or an object itself: what follows cannot be told apart."""
_BEARER: Final = re.compile(r"(bearer(?: |%20|\+)+)[A-Za-z0-9._~+/=-]{16,}", re.IGNORECASE)
_NAMED: Final = re.compile(
    r"(\\{0,15}\")(name\1\s{0,4}:\s{0,4}\1[A-Za-z0-9_.-]{0,64}?(?:"
    + "|".join(SECRET_ENDINGS)
    + r")\1\s{0,4},\s{0,4}\1value\1\s{0,4}:\s{0,4}\1)[^\"\\]{1,512}",
    re.IGNORECASE,
)
_LOOKED_UP: Final = re.compile(r"(auth/token/(?:lookup|renew|revoke|revoke-orphan)/)[^\s\"'\\?&]+")
_WITH_CONTENTS: Final = ("secret", "configmap", "client_token", "mount_type")
_BASIC: Final = re.compile(r"(://[^/\s:@]{0,128}:)[^/\s@]{1,256}(?=@)")


def redact_text(text: str) -> str:
    """Return `text` with vault tokens, AWS secret keys, JWTs, private keys and `password=...` masked.

    Also arguments of an exec, and contents of secrets in a text that is a record itself: of these it shows
    only what stands before.
    """
    if len(text) < 8 or text.startswith("arn:"):
        return text
    if len(text) >= 20:
        text = _redact_shapes(text)
    lower = text.lower()
    if ("pass" in lower or "secret" in lower or "token" in lower or "pwd" in lower or "key" in lower) and (
        "=" in text or ":" in text or "%3" in text or " " in text
    ):
        text = _ASSIGNED.sub(rf"\1{MASK}", text)
    if "@" in text and "://" in text:
        text = _BASIC.sub(rf"\1{MASK}", text)
    if "bearer" in lower:
        text = _BEARER.sub(rf"\1{MASK}", text)
    if "auth/token/" in text:
        text = _LOOKED_UP.sub(rf"\1{MASK}", text)
    if "?" in text and ("/exec" in text or "/run/" in text):
        text = without_arguments(text)
    return _redact_records(text, lower)


def _redact_records(text: str, lower: str) -> str:
    """What only a text has that holds a record or an object: a named value, contents of secrets."""
    if '"' in text and "name" in text and "value" in text:
        text = _NAMED.sub(rf"\1\2{MASK}", text)
    if ("data" in lower or "Object" in text) and any(word in lower for word in _WITH_CONTENTS):
        found = _BODY.search(text)
        if found:
            text = text[: found.end()] + MASK
    return text


def _redact_shapes(text: str) -> str:
    if "." in text:
        text = _AFTER_DOT.sub(_vault_token, text)
        if MASK in text:
            text = re.sub(rf"(?:hv)?[sbr]{re.escape(MASK)}", MASK, text)
    if "eyJ" in text:
        text = _JWT.sub(MASK, text)
    if "-----BEGIN" in text:
        text = _PRIVATE_KEY.sub(MASK, text)
    if len(text) >= 40 and ("ecret" in text or "SECRET" in text or "aws" in text or "AKIA" in text):
        text = _AWS_SECRET.sub(MASK, text)
    return text


def _vault_token(found: re.Match[str]) -> str:
    """`.` and 20 or more token characters are a vault token after hvs, hvb, hvr, or a lone s, b or r."""
    before = found.string[max(0, found.start() - 4) : found.start()]
    kind = before[-1:]
    head = before[:-1].removesuffix("hv") if before[:-1].endswith("hv") else before[:-1]
    named = kind in {"s", "b", "r"} and kind != ""
    return MASK if named and not head[-1:].isalnum() else found.group()


def redact(value: Any) -> Any:
    """Return a copy of JSON `value` without secrets; texts over 8 KiB and lists over 1,000 are cut."""
    if isinstance(value, str):
        if len(value) > STRING_LIMIT:
            return redact_text(value[: STRING_LIMIT + 512])[:STRING_LIMIT] + " [cut]"
        return redact_text(value)
    if isinstance(value, dict):
        named = value.get("name")
        if isinstance(named, str) and is_secret_key(named) and isinstance(value.get("value"), str):
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
    if not is_secret_key(key):
        return redact(value)
    if isinstance(value, dict) and key.lower() not in WHOLE_OBJECTS:
        return redact(value)
    return mask(value)


def is_secret_key(key: str) -> bool:
    """Return whether a text under `key` is a secret by the key's name."""
    lower = key.lower()
    return lower in SECRET_KEYS or lower.endswith(SECRET_ENDINGS)
