"""Files of every shape give their events with the line where each stands."""

from __future__ import annotations

import gzip
import json

import pytest

from connectors.sources.catalogue import UnknownSourceError, profile
from connectors.sources.files import FileUnreadableError, read_events
from connectors.sources.reject import Reject

CLOUDTRAIL = profile("cloudtrail")


def records(count):
    return [
        {
            "eventName": "ListBuckets",
            "eventSource": "s3.amazonaws.com",
            "eventTime": "2026-11-20T08:15:30Z",
            "eventID": f"e{number}",
        }
        for number in range(count)
    ]


def read(path, source=CLOUDTRAIL):
    return [
        (found.reason.value if isinstance(found, Reject) else found.event_id, found.locator.offset)
        for found in read_events(path, source)
    ]


def test_json_lines_have_one_based_lines(tmp_path):
    path = tmp_path / "a.jsonl"
    lines = [json.dumps(found) for found in records(3)]
    path.write_text(lines[0] + "\n\nnonsense\n" + lines[1] + "\n" + lines[2])
    assert read(path) == [("e0", 1), ("bad_json", 3), ("e1", 4), ("e2", 5)]


def test_gzip_reads_the_same(tmp_path):
    plain, packed = tmp_path / "a", tmp_path / "b"
    text = "".join(json.dumps(found) + "\n" for found in records(2000)).encode()
    plain.write_bytes(text)
    packed.write_bytes(gzip.compress(text[:1000]) + gzip.compress(text[1000:]))
    assert read(plain) == read(packed) == [(f"e{n}", n + 1) for n in range(2000)]


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("shape", ["array", "Records"])
def test_one_document(tmp_path, shape, indent):
    path = tmp_path / "a.json"
    path.write_text(json.dumps(records(3) if shape == "array" else {"Records": records(3)}, indent=indent))
    assert read(path) == [("e0", 1), ("e1", 1), ("e2", 1)]
    assert [e.locator.index for e in read_events(path, CLOUDTRAIL)] == [0, 1, 2]


def test_an_array_of_many_events_is_read_whole(tmp_path):
    path = tmp_path / "a.json"
    path.write_text(json.dumps(records(12_000)))
    assert len(read(path)) == 12_000


def test_a_cut_first_line_does_not_lose_the_others(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(found) + "\n" for found in records(3))[40:])
    assert read(path)[1:] == [("e1", 2), ("e2", 3)]
    path.write_text(json.dumps(records(1)[0])[:40] + "\n" + json.dumps(records(1)[0]))
    assert read(path) == [("truncated", 1), ("e0", 2)]


def test_a_broken_gzip_keeps_what_came_before(tmp_path):
    path = tmp_path / "a.gz"
    text = "".join(json.dumps(found) + "\n" for found in records(50_000)).encode()
    path.write_bytes(gzip.compress(text)[:-3000])
    found = read(path)
    assert found[0] == ("e0", 1) and found[-1][0] == "truncated" and len(found) > 1000


def test_text_lines(tmp_path):
    path = tmp_path / "access.log"
    line = (
        '[2026-11-23T06:09:13.949Z] "- - -" 0 - - - "-" 1 2 3 - "-" "-" "-" "-" "10.0.0.1:80" '
        "outbound|443||a.b 1.1.1.1:1 2.2.2.2:2 3.3.3.3:3 a.b -"
    )
    path.write_text(f"{line}\n{line}\n2026 info xds connected\n{line}")
    found = read(path, profile("istio_access"))
    assert [line for _, line in found] == [1, 2, 3, 4]
    assert [name for name, _ in found][2] == "bad_json"


def test_nothing_in_a_file_is_nothing(tmp_path):
    path = tmp_path / "a"
    for content in (b"", b"\n\n", b"\xef\xbb\xbf", gzip.compress(b"")):
        path.write_bytes(content)
        assert read(path) == []


def test_an_unreadable_file_is_named(tmp_path):
    with pytest.raises(FileUnreadableError, match="missing"):
        read(tmp_path / "missing")
    with pytest.raises(FileUnreadableError):
        read(tmp_path)


def test_an_unknown_source_names_the_known_ones():
    with pytest.raises(UnknownSourceError, match="cloudtrail, kubernetes_audit, istio_access, vault_audit"):
        profile("syslog")
