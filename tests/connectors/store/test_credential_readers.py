"""Who read a credential in the vault, as findings tell it: consumers of an orderly rotation."""

from __future__ import annotations

from pathlib import Path

import yaml

from connectors.consumers.vault_reads import READ_RULE, reads_seen

NOW = 1_780_000_000.0
CREDENTIAL = ("credential", "database:database/orders-a")
RULES = Path(__file__).parents[3] / "detectors" / "rules" / "vault_audit"


def test_the_last_read_of_each_entity_counts_and_our_own_do_not(database, feed, make_finding) -> None:
    def read(entity: str, ago: float, credential: str = CREDENTIAL[1], rule: str = READ_RULE):
        return make_finding(
            rule,
            ("credential", credential, "target"),
            ("vault_entity", entity, "actor"),
            level="informational",
            ago=ago,
        )

    account = {"a_type": "service_account", "a_id": "shop/orders", "b_type": "vault_entity", "b_id": "e-1"}
    feed(
        make_finding("davylamp-alias", level="informational", labels={**account, "alias": "true"}),
        read("e-1", 50),
        read("e-1", 30),
        read("e-2", 40),
        read("e-3", 500),
        read("e-4", 20, "database:database/orders-b"),
        read("e-5", 20, rule="another-rule"),
        read("own-entity", 10),
    )
    with database.reading() as connection:
        seen = reads_seen(connection, CREDENTIAL, "old", NOW - 100, [("vault_entity", "own-entity")])
    assert [(one.name, one.entity, one.account, one.at) for one in seen] == [
        ("service account shop/orders", "e-1", "shop/orders", NOW - 30),
        ("vault entity e-2", "e-2", "", NOW - 40),
    ]
    assert {(one.how, one.side) for one in seen} == {("read", "old")}


def test_a_read_told_by_many_findings_is_one_reader_and_no_name_is_sql(database, feed, make_finding) -> None:
    hostile = "x' OR 1=1 --\n" + "y" * 5000
    feed(
        *(
            make_finding(
                READ_RULE,
                ("credential", CREDENTIAL[1], "target"),
                ("vault_entity", hostile, "actor"),
                level="informational",
                ago=ago,
            )
            for ago in range(1, 40)
        )
    )
    with database.reading() as connection:
        (one,) = reads_seen(connection, CREDENTIAL, "old", 0)
    assert len(one.name) <= 100 and one.name.isprintable()
    with database.reading() as connection:
        assert reads_seen(connection, ("credential", hostile), "old", 0) == []


def test_the_rule_that_tells_of_reads_is_shipped() -> None:
    rule = yaml.safe_load((RULES / "database_credential_read.yml").read_text())
    assert rule["id"] == READ_RULE
