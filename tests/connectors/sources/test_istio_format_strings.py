"""Any format string reads back what its operators wrote: generated formats, generated values."""

from __future__ import annotations

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from connectors.sources.istio_format import TextFormat, read_line
from connectors.sources.istio_format_string import FormatError, items_of

OPERATORS = (
    "%REQ(:METHOD)%",
    "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%",
    "%PROTOCOL%",
    "%RESPONSE_CODE%",
    "%RESPONSE_FLAGS%",
    "%RESPONSE_CODE_DETAILS%",
    "%UPSTREAM_TRANSPORT_FAILURE_REASON%",
    "%BYTES_RECEIVED%",
    "%DURATION%",
    "%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%",
    "%REQ(X-FORWARDED-FOR)%",
    "%REQ(USER-AGENT):128%",
    "%REQ(X-REQUEST-ID)%",
    "%REQ(:AUTHORITY)%",
    "%UPSTREAM_HOST%",
    "%UPSTREAM_CLUSTER_RAW%",
    "%DOWNSTREAM_REMOTE_ADDRESS%",
    "%DOWNSTREAM_PEER_URI_SAN%",
    "%ENVIRONMENT(POD_NAME)%",
    "%DYNAMIC_METADATA(envoy.filters.http.ext_authz:who)%",
    "%FILTER_STATE(wasm.upstream_peer:PLAIN)%",
)
LETTERS = st.text(st.sampled_from("abcXYZ019./:[]|{}=,-_%"), min_size=1, max_size=12).filter(
    lambda t: t != "-"
)
VALUES = {
    "time": st.just("2026-11-23T06:09:13.949Z"),
    "number": st.integers(0, 10**17),
    "word": LETTERS,
    "text": st.lists(LETTERS, min_size=1, max_size=4).map(" ".join),
}


@st.composite
def formats(draw):
    """Return a format string, every text in quotes and words between spaces, and the values by field."""
    chosen = draw(st.lists(st.sampled_from(OPERATORS), unique=True, min_size=1, max_size=len(OPERATORS)))
    place = draw(st.integers(0, len(chosen)))
    chosen.insert(place, "%START_TIME%")
    parts, line, values = [], [], {}
    for operator in chosen:
        ((item,), _) = items_of(operator)
        value = draw(VALUES[item.field.shape] | (st.none() if item.field.shape != "time" else st.nothing()))
        quote = '"' if item.field.shape == "text" else ""
        parts.append(f"{quote}{operator}{quote}")
        line.append(f"{quote}{'-' if value is None else value}{quote}")
        values[item.field.field] = value
    return " ".join(parts), " ".join(line), values


@settings(max_examples=150, deadline=None)
@given(formats())
def test_a_generated_format_reads_back_its_values(case):
    format_, line, values = case
    assert read_line(line, [TextFormat(format_)]) == values


@settings(max_examples=100, deadline=None)
@given(formats())
def test_read_from_two_ends_a_line_says_the_same_as_in_one_step(case):
    format_, line, values = case
    known = TextFormat(format_)
    path = values.get("path")
    assume(path is None or " " not in path)
    assert known.usual(line) == known.strict(line) == values


@settings(max_examples=100, deadline=None)
@given(st.text(st.sampled_from('%()REQSTART_IME:?"[] \\n'), max_size=60))
def test_any_format_string_ends(text):
    try:
        TextFormat(text + " %START_TIME%")
    except FormatError:
        return
    assert TextFormat(text + " %START_TIME%").usual("x") is None
