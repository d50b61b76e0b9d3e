"""The walk over aliases: bounded, only over what tells who, never over Davylamp itself."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from playbooks.signals import MAX_HOPS, connects, reach

POD, ADDRESS, TOKEN = ("pod", "ns/a"), ("address", "10.0.0.7"), ("vault_token", "acc")


def table(*pairs):
    def neighbours(nodes):
        return [b for a, b in pairs if a in nodes] + [a for a, b in pairs if b in nodes]

    return neighbours


def test_a_pod_reaches_the_token_used_from_its_address():
    assert reach([POD], table((POD, ADDRESS), (ADDRESS, TOKEN))) == {POD: 0, ADDRESS: 1, TOKEN: 2}


def test_shared_places_carry_nothing():
    for node in (
        ("namespace", "ns"),
        ("node", "n"),
        ("address", "127.0.0.1"),
        ("address", "::1"),
        ("pod", ""),
    ):
        assert not connects(node)
        assert reach([node], table((node, POD))) == {}


def test_davylamp_itself_carries_nothing():
    assert TOKEN not in reach([POD], table((POD, ADDRESS), (ADDRESS, TOKEN)), own=frozenset({ADDRESS}))


def test_the_walk_ends_after_three_hops():
    chain = [("pod", f"ns/{n}") for n in range(9)]
    found = reach([chain[0]], table(*pairwise(chain)))
    assert max(found.values()) == MAX_HOPS


@given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 400)), max_size=600), st.integers(1, 50))
def test_the_walk_is_bounded_and_the_same_each_time(edges, limit):
    neighbours = table(*((("pod", str(a)), ("pod", str(b))) for a, b in edges))
    found = reach([("pod", "0")], neighbours, limit=limit)
    assert 1 <= len(found) <= limit
    assert found == reach([("pod", "0")], neighbours, limit=limit)
