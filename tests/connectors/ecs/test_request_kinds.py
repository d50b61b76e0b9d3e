"""Category and type of Kubernetes and Vault requests, and that whatever is asked gets values of ECS."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.ecs import kubernetes_action, vault_action
from connectors.ecs.conformance import FieldSet

DATA = Path(__file__).parent / "data"
FIELDS = FieldSet.load(DATA / "ecs_fields.json")


def rows(name):
    lines = (DATA / name).read_text().splitlines()
    return [[part.strip() for part in line.split("|")] for line in lines if not line.startswith("#")]


KUBERNETES, VAULT = rows("kubernetes_actions.txt"), rows("vault_actions.txt")


def fits(found):
    """Whether every type is expected of a category, and every category has one of its types."""
    categories, kinds = found
    expected = [FIELDS.expected[name] for name in categories]
    return set(kinds) <= set().union(*expected) and all(set(kinds) & one for one in expected)


@pytest.mark.parametrize(("verb", "target", "category", "kind"), KUBERNETES, ids=lambda text: text)
def test_kubernetes_requests(verb, target, category, kind):
    resource, _, subresource = target.partition("/")
    found = kubernetes_action.classify(verb, None if resource == "-" else resource, subresource or None)
    assert found == (category.split(","), kind.split(",")) and fits(found)


@pytest.mark.parametrize(("operation", "mount", "path", "category", "kind"), VAULT, ids=lambda text: text)
def test_vault_requests(operation, mount, path, category, kind):
    found = vault_action.classify(operation, path, mount)
    assert found == (category.split(","), kind.split(",")) and fits(found)


WORDS = st.sampled_from([row[0] for row in KUBERNETES + VAULT]) | st.text(max_size=80)
RESOURCES = st.sampled_from([row[1].partition("/")[0] for row in KUBERNETES]) | st.text(max_size=300)
BELOW = st.sampled_from(["exec", "attach", "proxy", "token", "eviction"]) | st.text(max_size=300)
PATHS = st.sampled_from([row[2] for row in VAULT]) | st.text(alphabet="/abcdeilnorstu-", max_size=600)


@given(WORDS, st.none() | RESOURCES, st.none() | BELOW)
def test_whatever_is_asked_of_kubernetes_is_ecs(verb, resource, subresource):
    assert fits(kubernetes_action.classify(verb, resource, subresource))


@given(st.none() | WORDS, st.none() | PATHS, st.sampled_from(["kv", "system", None, 7, []]))
def test_whatever_is_asked_of_vault_is_ecs(operation, path, mount):
    assert fits(vault_action.classify(operation, path, mount))
