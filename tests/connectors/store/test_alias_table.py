"""Aliases: valid from an event's time, closed when an address goes to another pod, in any order."""

from __future__ import annotations

import itertools

import pytest
from sqlalchemy import select

from connectors.store.aliases import learn, neighbours_at
from connectors.store.schema import aliases as table
from detectors.event import Alias

ADDRESS = ("address", "10.0.0.7")


def pod(name: str, at: float) -> Alias:
    return Alias(("pod", f"ns/{name}"), ADDRESS, at)


HISTORY = [pod("a", 100.0), pod("a", 150.0), pod("b", 200.0), pod("a", 300.0)]


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_an_address_belongs_to_one_pod_at_a_time(database, order):
    with database.transaction() as connection:
        for index in order:
            learn(connection, HISTORY[index])
    with database.reading() as connection:
        for at, owner in ((90.0, []), (110.0, ["a"]), (199.0, ["a"]), (250.0, ["b"]), (1000.0, ["a"])):
            found = neighbours_at(connection, at, 0.0)([ADDRESS])
            assert found == [("pod", f"ns/{name}") for name in owner], at


def test_both_ways_and_with_the_skew(database):
    with database.transaction() as connection:
        learn(connection, pod("a", 100.0))
        assert neighbours_at(connection, 95.0, 10.0)([("pod", "ns/a")]) == [ADDRESS]
        assert neighbours_at(connection, 85.0, 10.0)([("pod", "ns/a")]) == []


def test_a_known_alias_adds_no_row_and_a_token_may_have_many_addresses(database):
    token = ("vault_token", "accessor")
    with database.transaction() as connection:
        assert learn(connection, Alias(token, ("address", "10.0.0.1"), 1.0))
        assert learn(connection, Alias(token, ("address", "10.0.0.2"), 2.0))
        assert not learn(connection, Alias(("address", "10.0.0.1"), token, 5.0))
        assert learn(connection, Alias(("address", "10.0.0.1"), token, 0.5))
        rows = connection.execute(select(table)).all()
        assert len(rows) == 2
        assert len(neighbours_at(connection, 9.0, 0.0)([token])) == 2
