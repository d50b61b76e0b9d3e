"""One credential of a target: named by a text that comes from events."""

from __future__ import annotations

import pytest

from playbooks.target import TargetRef, instance_of

ROLE = TargetRef("database_dynamic_leases", "database", "reports", "internal", "data")


def test_an_instance_keeps_the_way_to_its_configured_target():
    lease = instance_of(ROLE, "aB3.x-9_z")
    assert lease.key == "database_dynamic_leases:database/reports/aB3.x-9_z"
    assert (lease.base, lease.instance) == ("reports", "aB3.x-9_z")
    assert lease.base_key == ROLE.key
    assert instance_of(lease, "other").name == "reports/other"
    assert (ROLE.instance, ROLE.base_key) == ("", ROLE.key)


@pytest.mark.parametrize(
    "text",
    ["", "../root", "a/b", "a\nb", "a b", "x" * 129, "a..b", "\u0430bc", "a?list=true", "%2e%2e", "abc\n"],
)
def test_what_no_credential_is_called_is_refused(text):
    with pytest.raises(ValueError, match="not the name of an instance"):
        instance_of(ROLE, text)
