"""A key goes where Kafka's own clients would send it."""

from __future__ import annotations

import time

from aiokafka.partitioner import DefaultPartitioner
from aiokafka.partitioner import murmur2 as reference
from hypothesis import given
from hypothesis import strategies as st

from connectors.kafka.partitioner import RememberingPartitioner, murmur2


@given(st.binary(max_size=200))
def test_the_hash_is_that_of_the_library(key: bytes) -> None:
    assert murmur2(key) == reference(key)


@given(st.binary(max_size=40), st.integers(1, 60))
def test_a_key_goes_where_the_library_sends_it_also_the_second_time(key: bytes, count: int) -> None:
    partitions, ours = list(range(count)), RememberingPartitioner()
    expected = DefaultPartitioner()(key, partitions, partitions)
    assert [ours(key, partitions, partitions) for _ in range(2)] == [expected, expected]


def test_a_topic_that_grows_is_heard_of() -> None:
    ours = RememberingPartitioner()
    places = {count: ours(b"key", list(range(count)), []) for count in (1, 2, 7, 50)}
    assert places == {count: (reference(b"key") & 0x7FFFFFFF) % count for count in places}


def test_no_key_goes_to_one_that_is_available() -> None:
    assert RememberingPartitioner()(None, [0, 1, 2], [2]) == 2


def test_it_remembers_no_more_than_it_may() -> None:
    ours = RememberingPartitioner(max_keys=10)
    for number in range(100):
        ours(str(number).encode(), [0, 1], [])
        assert len(ours._hashes) <= 10


def test_hashing_is_not_slower_than_the_library() -> None:
    key = b'cd95e396-68de-4405-ae40-3fdb4a992764|["arn:aws:iam::123456789012:role/reader"]'
    best = {}
    for hash_of in (murmur2, reference):
        times = []
        for _ in range(5):
            began = time.process_time()
            for _ in range(300):
                hash_of(key)
            times.append(time.process_time() - began)
        best[hash_of] = min(times)
    assert best[murmur2] < best[reference]
