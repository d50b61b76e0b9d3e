"""TEXT formats: Istio's own of every age, and those that an operator names by an Envoy format string."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.sources.istio_format import TextFormat, read_line
from connectors.sources.istio_format_string import FormatError
from connectors.sources.istio_text import parse_line
from connectors.sources.reject import Reason, Reject

HEAD = '[2026-11-23T06:09:13.949Z] "GET /a?b=c HTTP/1.1" 503 UF '
SIZES = '11 22 33 4 "10.1.1.1, 10.2.2.2" "curl/8" "0b9e" "shop.example:8080" "10.0.0.1:80"'
TAIL = " outbound|80||shop.n.svc.cluster.local 10.0.0.2:1 10.0.0.3:80 10.0.0.2:2 "
EVERYWHERE = {
    "start_time": "2026-11-23T06:09:13.949Z",
    "method": "GET",
    "path": "/a?b=c",
    "protocol": "HTTP/1.1",
    "response_code": 503,
    "response_flags": "UF",
    "bytes_received": 11,
    "bytes_sent": 22,
    "duration": 33,
    "upstream_service_time": 4,
    "x_forwarded_for": "10.1.1.1, 10.2.2.2",
    "user_agent": "curl/8",
    "request_id": "0b9e",
    "authority": "shop.example:8080",
    "upstream_host": "10.0.0.1:80",
}
IN_THE_TAIL = {
    "upstream_cluster": "outbound|80||shop.n.svc.cluster.local",
    "upstream_local_address": "10.0.0.2:1",
    "downstream_local_address": "10.0.0.3:80",
    "downstream_remote_address": "10.0.0.2:2",
    "requested_server_name": "sni.example",
}


@pytest.mark.parametrize(
    ("line", "more"),
    [
        (
            HEAD + 'via_upstream - "TLS error: a b" ' + SIZES + TAIL + "sni.example default",
            {
                **IN_THE_TAIL,
                "response_code_details": "via_upstream",
                "connection_termination_details": None,
                "upstream_transport_failure_reason": "TLS error: a b",
                "route_name": "default",
            },
        ),
        (
            HEAD + '"-" "TLS error: a b" ' + SIZES + TAIL + "sni.example default",
            {
                **IN_THE_TAIL,
                "upstream_transport_failure_reason": "TLS error: a b",
                "route_name": "default",
            },
        ),
        (HEAD + '"-" "-" ' + SIZES + TAIL + "sni.example", IN_THE_TAIL),
        (HEAD + '"-" ' + SIZES + TAIL + "sni.example default", {**IN_THE_TAIL, "route_name": "default"}),
        (HEAD + '"-" ' + SIZES + TAIL + "sni.example", IN_THE_TAIL),
        (HEAD + SIZES, {}),
    ],
    ids=["1.9", "1.4-1.8", "two reasons, no route", "one reason, route", "one reason", "Envoy's own"],
)
def test_a_line_of_every_age(line, more):
    found = parse_line(line.encode())
    assert found == {**dict.fromkeys(found), **EVERYWHERE, **more}
    assert "response_code_details" in found or "response_code_details" not in more


def test_empty_values_are_absent_also_where_a_shipper_stripped_the_end():
    line = (
        '[2026-11-23T06:09:13.949Z] "  " 0    "" 7 8 9  "" "" "" "" "10.0.0.1:80" PassthroughCluster a b c  '
    )
    for text in (line, line.rstrip(), line + "\r\n"):
        found = parse_line(text.encode())
        assert found["upstream_cluster"] == "PassthroughCluster" and found["bytes_received"] == 7
        assert found["method"] is None and found["route_name"] is None and found["response_flags"] is None


CUSTOM = (
    "%START_TIME(%Y/%m/%dT%H:%M:%S.%3f)% rid=%REQ(X-REQUEST-ID)% "
    '"%REQ(:METHOD)% %REQ(:PATH):64%" code=%RESPONSE_CODE% %% peer=%DOWNSTREAM_PEER_URI_SAN% '
    "from=%DOWNSTREAM_REMOTE_ADDRESS% [%REQ(X-TENANT)%] pod=%ENVIRONMENT(POD_NAME)%"
)
CUSTOM_LINE = (
    '2026/11/23T06:09:13.949 rid=r1 "GET /x" code=200 % peer=spiffe://td/ns/n/sa/s '
    "from=10.0.0.1:9 [a b] pod=p-1"
)


def test_a_custom_format_is_read_by_its_own_string():
    known = TextFormat(CUSTOM)
    assert known.usual(CUSTOM_LINE) is None, "texts outside of quotes are read from the two ends"
    found = read_line(CUSTOM_LINE, [known])
    assert found == {
        "start_time": "2026-11-23T06:09:13.949000Z",
        "request_id": "r1",
        "method": "GET",
        "path": "/x",
        "response_code": 200,
        "downstream_peer_uri_san": "spiffe://td/ns/n/sa/s",
        "downstream_remote_address": "10.0.0.1:9",
        "x_tenant": "a b",
        "pod": "p-1",
    }


@pytest.mark.parametrize(
    ("form", "text", "expected"),
    [
        ("%s", "1795414153", "2026-11-23T06:09:13.000000Z"),
        ("%s.%6f", "1795414153.949001", "2026-11-23T06:09:13.949001Z"),
        ("%d/%b/%Y:%H:%M:%S %z", "23/Nov/2026:08:09:13 +0200", "2026-11-23T06:09:13.000000Z"),
        ("%F %T.%9f", "2026-11-23 06:09:13.949000123", "2026-11-23T06:09:13.949000Z"),
    ],
)
def test_start_times_of_a_custom_format(form, text, expected):
    known = TextFormat(f"[%START_TIME({form})%] %RESPONSE_CODE%")
    found = read_line(f"[{text}] 200", [known])
    assert found == {"start_time": expected, "response_code": 200}


@pytest.mark.parametrize(
    ("format_", "why"),
    [
        ("%RESPONSE_CODE%", "START_TIME% is missing"),
        ("%START_TIME%%RESPONSE_CODE%", "nothing stands between"),
        ("%START_TIME% %RESPONSE_CODE% %RESPONSE_CODE%", "response_code stands twice"),
        ("%START_TIME% 5% %RESPONSE_CODE%", "a lone %"),
        ("%START_TIME(%H:%M)% x", "needs year"),
        ("%START_TIME(%Q)% x", "cannot be read"),
        ("%START_TIME(%Y%Y)% x", "stands twice"),
        ("%START_TIME% " + "x" * 5000, "over 4096"),
    ],
)
def test_a_format_that_cannot_be_read_says_why(format_, why):
    with pytest.raises(FormatError, match=why):
        TextFormat(format_)


def test_the_end_of_the_line_is_no_part_of_a_format():
    for end in ("", "\n", "\\n"):
        known = TextFormat("[%START_TIME%] %RESPONSE_CODE%" + end)
        assert read_line("[2026-11-23T06:09:13Z] 200", [known]) is not None


def test_istio_s_formats_are_found_behind_an_operator_s_own():
    line = (HEAD + 'via_upstream - "-" ' + SIZES + TAIL + "sni.example default").encode()
    assert parse_line(line, [TextFormat(CUSTOM)]) == parse_line(line)


SPACED = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=30)
NASTY = st.sampled_from(
    ['"', '" "', '" 200 - a - "', '" 1 2 3 4 "', " ", "-", '"-"', "] [", '" 9 9 9 9 "x" "y"']
)
HEADER = st.lists(SPACED | NASTY, max_size=4).map("".join)
ONE_WORD = HEADER.map(lambda text: "/" + "".join(text.split()))


@settings(max_examples=400, deadline=None)
@given(ONE_WORD, HEADER, HEADER, HEADER, HEADER)
def test_nothing_that_a_caller_writes_moves_what_the_proxy_set(path, forwarded, agent, request, authority):
    line = (
        f'[2026-11-23T06:09:13.949Z] "GET {path} HTTP/1.1" 403 - rbac_access_denied_matched_policy[none] '
        f'- "-" 5 6 7 - "{forwarded}" "{agent}" "{request}" "{authority}" "10.0.0.1:80" '
        "inbound|80|| 127.0.0.6:1 10.0.0.1:80 10.0.0.2:2 outbound_.80_._.a.b default"
    )
    found = parse_line(line.encode())
    assert found["response_code"] == 403 and found["method"] == "GET"
    assert found["response_code_details"] == "rbac_access_denied_matched_policy[none]"
    assert (found["bytes_received"], found["bytes_sent"], found["duration"]) == (5, 6, 7)
    assert found["upstream_host"] == "10.0.0.1:80" and found["upstream_cluster"] == "inbound|80||"
    assert found["downstream_remote_address"] == "10.0.0.2:2" and found["route_name"] == "default"


@settings(max_examples=300, deadline=None)
@given(st.lists(SPACED | NASTY, max_size=30).map("".join))
def test_any_text_ends(text):
    try:
        found = parse_line(b'[2026-11-23T06:09:13Z] "' + text.encode())
    except Reject as reject:
        assert reject.reason is Reason.UNKNOWN_SHAPE
    else:
        assert found["start_time"] == "2026-11-23T06:09:13Z"
