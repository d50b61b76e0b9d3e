"""A line that the typed decode passes by is one event that no rule matches, whatever its bytes are."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.sources.catalogue import KINDS, profile
from connectors.sources.envelope import unpack
from connectors.sources.moment import seconds
from connectors.sources.partial import NoPartialError, Partial
from connectors.sources.reject import Reject
from connectors.sources.source import PartlyReadable, Skeleton
from detectors.sigma.document import RuleDocument
from detectors.sigma.engine import Engine
from detectors.sigma.ruleset import RuleSet

DATA = Path(__file__).parent / "data"
PARTLY = ("cloudtrail", "kubernetes_audit")
RULES = {
    "cloudtrail": [
        {"eventName": "StopLogging"},
        {"userIdentity.type": "Root"},
        {"requestParameters.policy.name|contains": "Admin"},
        {"errorCode": 7},
    ],
    "kubernetes_audit": [
        {"objectRef.resource": "secrets"},
        {"responseStatus.code": 403},
        {"annotations.audit.k8s.io/truncated": "true"},
        {"verb": "impersonate"},
    ],
}
PRODUCT = {"cloudtrail": ("aws", "cloudtrail"), "kubernetes_audit": ("kubernetes", "audit")}
TEXTS = ("StopLogging", "Root", "Admin", "secrets", "403", "true", "x", "aws:s3", "2026-11-20T08:15:30z", "7")


def engine_of(kind: str, selections: Sequence[dict[str, Any]] | None = None) -> Engine:
    product, service = PRODUCT[kind]
    documents = [
        RuleDocument(
            f"{number}.yml",
            json.dumps(
                {
                    "title": f"rule {number}",
                    "id": f"00000000-0000-4000-8000-{number:012d}",
                    "level": "low",
                    "logsource": {"product": product, "service": service},
                    "detection": {"selection": selection, "condition": "selection"},
                }
            ),
        )
        for number, selection in enumerate(RULES[kind] if selections is None else selections)
    ]
    ruleset = RuleSet.load(documents)
    assert not ruleset.refusals
    return Engine(ruleset)


def lines_of(kind: str) -> list[bytes]:
    cases = [json.loads(line) for line in (DATA / f"{kind}.jsonl").read_text().splitlines()]
    return [orjson.dumps(case["record"]) + b"\n" for case in cases]


LINES = {kind: lines_of(kind) for kind in PARTLY}
ENGINES = {kind: engine_of(kind) for kind in PARTLY}
PARTIALS: dict[str, Partial] = {}


def partial_of(kind: str, engine: Engine) -> Partial:
    source = profile(kind)
    assert isinstance(source, PartlyReadable)
    return Partial(source.skeleton(), engine.dispatch(source).paths)


def passed_by(kind: str, engine: Engine, partial: Partial, lines: Sequence[bytes]) -> list[bytes]:
    """Return the lines that are passed by, each of them held against the full way."""
    source = profile(kind)
    for line in lines:
        for event in unpack(line, source, "t", 0, 1).events:
            engine.inspect(event)
    rest = partial.rest(lines, engine.dispatch(source))
    assert (
        rest
        == sorted(set(rest))
        == [place for place, line in enumerate(lines) if partial.rest([line], engine.dispatch(source))]
    )
    passed = [line for place, line in enumerate(lines) if place not in set(rest)]
    for line, time in zip(passed, partial.times(passed), strict=True):
        found = unpack(line, source, "t", 0, 1)
        assert len(found.events) == 1 and not found.rejects and not found.control, line
        (event,) = found.events
        assert not any(engine.inspect(event)), line
        assert not source.contacts(event)
        assert abs(event.time - time) < 1e-5, line
    return passed


def check(kind: str, *lines: bytes) -> list[bytes]:
    engine = ENGINES[kind]
    if kind not in PARTIALS or PARTIALS[kind].paths is not engine.dispatch(profile(kind)).paths:
        PARTIALS[kind] = partial_of(kind, engine)
    return passed_by(kind, engine, PARTIALS[kind], lines)


@pytest.mark.parametrize("kind", PARTLY)
def test_most_events_are_passed_by(kind: str) -> None:
    passed = check(kind, *LINES[kind])
    assert len(passed) * 2 > len(LINES[kind]), "the other tests would show nothing"


def test_sources_whose_events_feed_baselines_are_read_whole() -> None:
    assert {kind for kind in KINDS if isinstance(profile(kind), PartlyReadable)} == set(PARTLY)


def paths_in(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(path for key, item in inner for path in paths_in(item, (*at, key)))]


ODD = st.one_of(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False),
    st.sampled_from(TEXTS) | st.text(max_size=6),
    st.lists(st.sampled_from(TEXTS) | st.integers(0, 3), max_size=3),
    st.dictionaries(
        st.sampled_from(["type", "resource", "name", "code", "policy.name"]), st.text(max_size=2)
    ),
)
KEYS = st.sampled_from(
    [
        *(
            "eventName",
            "eventname",
            "eventSource",
            "eventVersion",
            "eventTime",
            "insightDetails",
            "kubernetes",
        ),
        *("userIdentity", "userIdentity.type", "requestParameters", "requestParameters.policy", "errorCode"),
        *("requestParameters.policy.name", "policy.name", "policy", "verb", "stage", "auditID", "log"),
        *("stageTimestamp", "objectRef", "objectRef.resource", "responseStatus", "responseStatus.code"),
        *("annotations", "annotations.audit.k8s.io/truncated", "audit.k8s.io/truncated", "audit", "Records"),
    ]
)


@pytest.mark.parametrize("kind", PARTLY)
@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_changed_values_and_keys(kind: str, data: st.DataObject) -> None:
    record = orjson.loads(data.draw(st.sampled_from(LINES[kind])))
    for _ in range(data.draw(st.integers(1, 3))):
        if data.draw(st.booleans()):
            record[data.draw(KEYS)] = data.draw(ODD)
            continue
        path = data.draw(st.sampled_from(paths_in(record)[1:] or [("x",)]))
        owner: Any = record
        for key in path[:-1]:
            owner = owner[key]
        if isinstance(owner, dict) and data.draw(st.booleans()):
            del owner[path[-1]]
        else:
            owner[path[-1]] = data.draw(ODD)
    check(kind, json.dumps(record, ensure_ascii=data.draw(st.booleans())).encode("utf-8", "surrogatepass"))


@pytest.mark.parametrize("kind", PARTLY)
@settings(max_examples=500, deadline=None)
@given(data=st.data())
def test_changed_bytes(kind: str, data: st.DataObject) -> None:
    line = bytearray(data.draw(st.sampled_from(LINES[kind])))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(line) - 1))
        piece = data.draw(st.sampled_from(PIECES) | st.binary(min_size=1, max_size=2))
        match data.draw(st.sampled_from(["flip", "cut", "insert", "put"])):
            case "flip":
                line[at] ^= 1 << data.draw(st.integers(0, 7))
            case "cut":
                del line[at : at + data.draw(st.integers(1, 40))]
            case "insert":
                line[at:at] = piece
            case _:
                line[at : at + len(piece)] = piece
        if not line:
            return
    check(kind, bytes(line))


PIECES = [
    *(
        b"\\u0041",
        b"\\ud800",
        b"\\/",
        b"\\",
        b'"',
        b'":"',
        b"\x00",
        b"\x1f",
        b"\x7f",
        b"\xff",
        b"\xed\xa0\x80",
    ),
    *(
        b"\xc3\xa9",
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b":",
        b"1e999",
        b"-",
        b"NaN",
        b"9" * 400,
        b" ",
        b"\r",
        b"\t",
    ),
    *(b"}{", b"\xef\xbb\xbf", b'"kubernetes":{},', b'"userIdentity.type":"Root",', b"z", b"true", b"null"),
]
PLAIN = {
    "cloudtrail": (
        b'{"eventVersion":"1.11","eventName":"GetObject","eventSource":"s3.amazonaws.com",'
        b'"eventTime":"2026-11-20T08:15:30Z","userIdentity":{"type":"IAMUser"},"eventID":"e1"%b}\n'
    ),
    "kubernetes_audit": (
        b'{"kind":"Event","auditID":"a1","stage":"ResponseComplete","verb":"get",'
        b'"stageTimestamp":"2026-11-20T08:15:30.123456Z","objectRef":{"resource":"pods"},'
        b'"responseStatus":{"code":200}%b}\n'
    ),
}


@pytest.mark.parametrize("kind", PARTLY)
@pytest.mark.parametrize(
    ("more", "passes"),
    [
        pytest.param(b"", True, id="as it is"),
        pytest.param(b',"x":{"y":["\\u00e9","\\/",1e5,-0.0,{}]}', True, id="escapes in what is skipped"),
        pytest.param(b',"x":"\xc3\xa9"', True, id="UTF-8"),
        pytest.param(b',"x":1e999', True, id="a number that no double holds, skipped"),
        pytest.param(b',"x":' + b"9" * 5000, True, id="many digits, skipped"),
        pytest.param(b',"x":' + b"[" * 300 + b"]" * 300, True, id="300 levels"),
        pytest.param(b',"x":"\xff"', False, id="not UTF-8"),
        pytest.param(b',"x":"\xed\xa0\x80"', False, id="a surrogate in UTF-8"),
        pytest.param(b',"x\xff":1', False, id="a key that is not UTF-8"),
        pytest.param(b',"x":"\\ud800"', False, id="a lone surrogate"),
        pytest.param(b',"x":"\x01"', False, id="a control character in a text"),
        pytest.param(b',"x":"\\x"', False, id="an unknown escape"),
        pytest.param(b',"x":NaN', False, id="NaN"),
        pytest.param(b',"x":' + b"[" * 2000 + b"]" * 2000, False, id="2,000 levels"),
        pytest.param(b',"x":01', False, id="a leading zero"),
        pytest.param(b',"x":1,', False, id="a comma at the end"),
        pytest.param(b',"kubernetes":{}', False, id="a shipper's key"),
        pytest.param(b"}{", False, id="two values"),
        pytest.param(b',"x":"' + b"a" * (20 << 20) + b'"', False, id="20 MB"),
        pytest.param(
            b',"userIdentity.type":"Root","objectRef.resource":"secrets"', False, id="keys with dots"
        ),
        pytest.param(
            b',"userIdentity":{"type":"Root"},"objectRef":{"resource":"secrets"}', False, id="twice"
        ),
        pytest.param(b',"userIdentity":[],"objectRef":"x"', False, id="another type"),
        pytest.param(
            b',"\\u0065ventName":"StopLogging","v\\u0065rb":"impersonate"', False, id="escaped keys"
        ),
        pytest.param(
            b',"eventName":"x","eventName":"StopLogging","verb":"impersonate"', False, id="last one counts"
        ),
        pytest.param(b',"eventTime":"2026-02-30T00:00:00Z","stageTimestamp":"2026"', False, id="no time"),
        pytest.param(
            b',"eventTime":"1990-01-01T00:00:00Z","stageTimestamp":"2199-12-31T23:59:59Z"', False, id="edge"
        ),
    ],
)
def test_one_thing_at_a_time(kind: str, more: bytes, passes: bool) -> None:
    check(kind, PLAIN[kind] % b"")
    assert bool(check(kind, PLAIN[kind] % more)) is passes


@settings(max_examples=500, deadline=None)
@given(
    st.from_regex(
        r"\A(19|20|21)[0-9]{2}-[01][0-9]-[0-3][0-9][Tt _][0-2][0-9]:[0-5][0-9]:[0-6][0-9]([.,][0-9]{1,9})?"
        r"([Zz]|[+-][0-2][0-9]:?[0-5][0-9])?\Z"
    )
)
def test_a_time_that_the_typed_decode_reads_is_read_by_the_source(text: str) -> None:
    line = PLAIN["cloudtrail"] % (b',"eventTime":' + orjson.dumps(text))
    if check("cloudtrail", PLAIN["cloudtrail"] % b"", line)[1:]:
        assert seconds(text, "eventTime")


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from(["a", "a.b", "a.b.c", "d.e", "f", "g.h.i"]), min_size=1, max_size=4, unique=True
    ),
    st.lists(
        st.recursive(
            st.sampled_from(["x", "y", "", 0, 1, True, False, 1.0, 0.0, None]),
            lambda inner: (
                st.dictionaries(st.sampled_from(["b", "c", "e", "b.c", "h", "i", "h.i"]), inner, max_size=3)
                | st.lists(inner, max_size=2)
            ),
            max_leaves=4,
        ).flatmap(
            lambda value: st.dictionaries(
                st.sampled_from(["a", "a.b", "a.b.c", "d", "d.e", "f", "g", "g.h", "g.h.i"]), st.just(value)
            )
        ),
        min_size=1,
        max_size=6,
    ),
)
def test_whatever_fields_the_rules_ask_for(paths: list[str], extras: list[dict[str, Any]]) -> None:
    wanted = ["x", 1, None, True]
    rules = [{path: wanted[number]} for number, path in enumerate(paths)]
    engine = engine_of("cloudtrail", rules)
    try:
        partial = partial_of("cloudtrail", engine)
    except NoPartialError:
        return
    plain = orjson.loads(PLAIN["cloudtrail"] % b"")
    passed_by("cloudtrail", engine, partial, [orjson.dumps({**plain, **extra}) for extra in extras] * 2)


@pytest.mark.parametrize(
    ("groups", "passes"),
    [
        (["system:authenticated"], True),
        ([], True),
        (["a", "system:masters"], False),
        (["a"] * 9, False),
        (["a", 1], False),
        ([["system:masters"]], False),
        ({"a": "b"}, False),
    ],
)
def test_a_short_list_of_texts_is_sorted_by(groups: Any, passes: bool) -> None:
    engine = engine_of("kubernetes_audit", [{"user.groups": "system:masters"}])
    partial = partial_of("kubernetes_audit", engine)
    assert partial.paths == ("user.groups",)
    plain = orjson.loads(PLAIN["kubernetes_audit"] % b"")
    line = orjson.dumps(plain | {"user": {"username": "kim", "groups": groups}})
    assert passed_by("kubernetes_audit", engine, partial, [line]) == ([line] if passes else [])


def test_fields_that_cannot_be_read_alone_are_refused() -> None:
    skeleton = Skeleton("time", {"name": 0}, {}, frozenset({"gone"}))
    for paths in (
        ["a.b.c.d.e"],
        ["a", "a.b"],
        ["a.b", "a"],
        ["time"],
        ["gone"],
        ["kubernetes.pod"],
        ["name.x"],
        ["a..b"],
    ):
        with pytest.raises(NoPartialError):
            Partial(skeleton, paths)
    with pytest.raises(NoPartialError):
        Partial(skeleton, ['a"b'])


def test_an_event_whose_parse_refuses_it_is_never_passed_by() -> None:
    for more in (
        b',"eventSource":"aws:s3"',
        b',"eventVersion":"2.0"',
        b',"eventVersion":7',
        b',"insightDetails":{}',
    ):
        line = PLAIN["cloudtrail"] % more
        assert not check("cloudtrail", PLAIN["cloudtrail"] % b"", line)[1:]
    with pytest.raises(Reject):
        seconds("2026-11-20z", "eventTime")
    assert seconds("2026-11-20T08:15:30z", "eventTime") == seconds("2026-11-20T08:15:30Z", "eventTime")
