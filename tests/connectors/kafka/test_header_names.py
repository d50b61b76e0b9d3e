"""Fetched bytes with header names that are no UTF-8, made by aiokafka's own writer."""

# pyright: reportPrivateUsage=false
from __future__ import annotations

import pytest
from aiokafka.consumer import fetcher
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy
from aiokafka.record.memory_records import MemoryRecords

from config.kafka import Kafka
from connectors.kafka.client import connection_options
from connectors.kafka.header_names import AnyHeaderRecords

NONE, GZIP = 0, 1


class Raw(str):
    """A name that is written as bytes which are no UTF-8."""

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        return b"\xffname\xfe"


def batch(names: list[str], compression: int = NONE, first: int = 0) -> bytes:
    """One record a name, with key, value and two headers."""
    builder = _DefaultRecordBatchBuilderPy(2, compression, 0, -1, -1, -1, 1 << 20)
    for number, name in enumerate(names):
        headers = [(name, b"1"), ("other", None)]
        builder.append(number, 1_795_000_000_000, b"k", b"value %d" % (first + number), headers)
    return bytes(builder.build())


def read(data: bytes) -> list[tuple[int, bytes, list[tuple[str, bytes | None]]]]:
    records, found = AnyHeaderRecords(data), []
    while records.has_next():
        one = records.next_batch()
        assert one.validate_crc() and not one.is_control_batch and one.next_offset
        found += [(record.offset, record.value, record.headers) for record in one]
    return found


@pytest.mark.parametrize("compression", [NONE, GZIP])
def test_a_name_that_is_no_text_costs_no_record(compression):
    found = read(batch(["a", Raw("b"), "c"], compression) + batch(["d"], first=3))
    assert [value for _, value, _ in found] == [b"value 0", b"value 1", b"value 2", b"value 3"]
    assert [offset for offset, _, _ in found] == [0, 1, 2, 0]
    assert [headers[0] for _, _, headers in found] == [
        ("a", b"1"),
        ("\ufffdname\ufffd", b"1"),
        ("c", b"1"),
        ("d", b"1"),
    ]
    assert all(headers[1] == ("other", None) for _, _, headers in found)


def test_aiokafka_alone_does_not_get_past_it():
    """If this fails, `connectors/kafka/header_names.py` is no longer needed."""
    records = MemoryRecords(batch([Raw("b")]))
    with pytest.raises(UnicodeDecodeError):
        list(records.next_batch())  # type: ignore[arg-type]


def test_every_client_reads_so():
    connection_options(Kafka())
    assert fetcher.MemoryRecords is AnyHeaderRecords
