"""The fast path of redaction gives what the full walk gives, whatever is planted wherever."""

from __future__ import annotations

import json
import time

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from connectors.ecs import redaction
from connectors.ecs.clean_text import is_clean
from connectors.ecs.redaction import redact
from connectors.ecs.shown import shown

# Built from parts, so that no scanner takes this file for a leak.
AWS = "wJalrXUtnFEMI/K7MDENG" + "/bPxRfiCYEXAMPLEKEY"
VAULT = "a1B2c3d4" * 3
SHAPES = [
    "hvs." + VAULT,
    "hvb." + VAULT,
    "s." + VAULT,
    "eyJhbGciOiJSUzI1NiJ9" + "." + "eyJzdWIiOiJ4In0" + "." + "c2ln",
    "aws " + AWS,
    "Secret:" + AWS,
    "aws\n" + AWS,
    "aws\x01" + AWS,
    'aws "' + AWS + '"',
    "-----BEGIN RSA " + "PRIVATE KEY-----\nMIIabc",
    "postgresql://app:hunter2hunter2@db/x",
    "x" * 8200,
    "Bearer " + VAULT,
    "bearer%20" + VAULT,
    "auth/token/lookup/" + VAULT,
    "auth/token/revoke-orphan/" + VAULT,
    "/exec?command=a&command=" + VAULT,
    '?"/run/x?c%6Dd=a&cmd=' + VAULT,
    '/exec"?command=a+b',
    '{"kind":"Secret","data":{"a":"b"}}',
    '{\\"kind\\":\\"Secret\\",\\"stringData\\" : {}}',
    "{'kind':'ConfigMap','data': {}}",
    '"requestObject":[{"secrets":1}]',
    '{"name":"DB_PASSWORD","value":"b"}',
    '{\n"Name" : "db_token" ,"value":"b"}',
    "aws \\n" + AWS[2:],
]
WORDS = ["pass", "password", "passwd", "passphrase", "pwd", "secret", "secret_key", "secretAccessKey"]
WORDS += ["SECRET_STRING", "secretvalue", "token", "Token", "api_key", "apikey", "APIKEY"]
ASSIGNMENTS = [
    "=",
    "%3D",
    "%3d",
    "%3A%20",
    "%3a+",
    '":"',
    "': '",
    ": ",
    ":\n",
    " = ",
    '\\":\\"',
    " " + "x" * 32,
    "\n",
    "\t",
]
ASSIGNED = st.builds(
    lambda head, word, sign, value: head + word + sign + value,
    st.sampled_from(["", "x", "\n", "PG", "?", "my_"]),
    st.sampled_from(WORDS),
    st.sampled_from(ASSIGNMENTS),
    st.sampled_from(["hunter2x", "hmac-sha256:00", "HMAC-SHA256:00", ""]),
)
KEYS = sorted(redaction.SECRET_KEYS)
SECRET_KEYS = st.builds(
    lambda head, key, change: change(head + key),
    st.sampled_from(["", "x", "db", "db_", "\n", "é"]),
    st.sampled_from([*KEYS, *redaction.SECRET_ENDINGS, "to\N{KELVIN SIGN}en", "x_token", "DB_PASSWORD"]),
    st.sampled_from([str, str.upper, str.title]),
)
ORDINARY = st.sampled_from(
    ["", "name", "value", "ec2.amazonaws.com", "arn:aws:iam::1:user/a", "GetSecretValue"]
)
TEXTS = st.one_of(ORDINARY, st.text(max_size=12), st.sampled_from(SHAPES), ASSIGNED, SECRET_KEYS)
MIXED = st.builds(lambda *parts: "".join(parts), st.text(max_size=3), TEXTS, st.text(max_size=3))
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-9, 9), TEXTS, MIXED)
VALUES = st.recursive(
    SCALARS,
    lambda below: (
        st.lists(below, max_size=4)
        | st.dictionaries(st.one_of(ORDINARY, SECRET_KEYS, st.text(max_size=4)), below, max_size=4)
        | st.builds(lambda name, value: {"name": name, "value": value}, TEXTS, below)
    ),
    max_leaves=12,
)


@settings(max_examples=1500, deadline=None)
@given(VALUES)
@example({"name": "DB_PASSWORD", "value": "d"})
@example({"name": '\n"x_token', "value": "d"})
@example({"name": "HOME", "value": "d", "x": [{"name": "jwt", "value": "d"}]})
@example({"client_token": "HMAC-SHA256:00"})
@example({"a": list(range(1001))})
@example({"otp": "1", "b": {"jwt": ["x"]}})
def test_the_fast_path_is_the_full_walk(value):
    record, text = shown({"a": value})
    assert record == redact({"a": value})
    assert orjson.loads(text) == record


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("value", ["x", ["x"], {"y": "x"}])
def test_every_secret_key_is_seen(key, value):
    for form in (key, key.upper(), key.title()):
        record = {"a": [{form: value}]}
        assert shown(record)[0] == redact(record)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("place", ["{}", "n{}", "\n{}", "{}\n", '"{}"', "\\{}"])
def test_every_shape_is_seen_in_every_place(shape, place):
    text = place.replace("{}", shape)
    for record in ({"a": text}, {"a": ["b", {"c": text}]}, {"a": json.dumps({"b": text})}):
        assert shown(record)[0] == redact(record)


@pytest.mark.parametrize(
    "piece", ["a", "secret", "pass=", "eyJ", "eyJ.", "s.a", "A1a/", '\\"', '"name":"', "token ", "k", "p"]
)
def test_hostile_texts_are_looked_over_quickly(piece):
    text = orjson.dumps({"value": "secret", "a": [piece * (4_000 // len(piece))] * 15}).decode()
    began = time.process_time()
    is_clean(text)
    assert time.process_time() - began < 0.5


@pytest.mark.parametrize("piece", ['"', "\\", '\\"', "a", "\n", "\x01", '""\\\\'])
@pytest.mark.parametrize("size", [8_190, 8_192, 8_193, 8_200, 16_500])
def test_a_long_text_is_cut_whatever_it_holds(piece, size):
    text = (piece * size)[:size]
    for record in ({"a": text}, {"b": [text, "c"], "d": "\\"}):
        assert shown(record)[0] == redact(record)


def test_an_ordinary_record_is_not_copied():
    record = {
        "eventSource": "secretsmanager.amazonaws.com",
        "eventName": "GetSecretValue",
        "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/a"},
        "requestParameters": {"secretId": "prod/db", "nextToken": None},
        "auth": {"client_token": "hmac-sha256:00", "token_type": "service"},
    }
    assert is_clean(orjson.dumps(record).decode()) and shown(record)[0] is record
    assert redact(record) == record
