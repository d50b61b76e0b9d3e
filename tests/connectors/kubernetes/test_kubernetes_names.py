"""Names are checked before they stand anywhere; selectors mean what the API server means by them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.kubernetes.error import KubernetesRefusedError
from connectors.kubernetes.kinds import NETWORK_POLICY, WORKLOADS
from connectors.kubernetes.names import NotANameError, label_value, namespace_name, object_name
from connectors.kubernetes.permission import Permission, role
from connectors.kubernetes.selector import query, selects, selects_everything
from connectors.kubernetes.workload import WorkloadRef

HOSTILE = (
    "..",
    "a/b",
    "a b",
    "A",
    "-a",
    "a-",
    "",
    "a\n",
    "a%2f",
    "a?x",
    "ａ",
    "a" * 254,
    "a..b",
    "a\x00",
    "é",
)


@pytest.mark.parametrize("text", HOSTILE)
def test_what_is_no_name_is_refused_and_shown_short(text: str):
    for check in (namespace_name, object_name):
        with pytest.raises(NotANameError) as error:
            check(text)
        assert len(str(error.value)) < 320
        assert str(error.value).isascii() and "\n" not in str(error.value)


@pytest.mark.parametrize("text", ["a", "web-1", "0a", "a" * 63])
def test_what_is_a_name_stays_as_it_is(text: str):
    assert namespace_name(text) == object_name(text) == label_value(text) == text


def test_an_object_may_have_dots_a_namespace_may_not():
    assert object_name("a.b-c.d") == "a.b-c.d"
    with pytest.raises(NotANameError):
        namespace_name("a.b")


@given(st.text(max_size=40), st.text(max_size=80))
def test_no_text_makes_a_path_with_more_parts(namespace: str, name: str):
    try:
        ref = WorkloadRef.parse(namespace, f"deployment/{name}")
    except NotANameError:
        return
    path = WORKLOADS[ref.kind].path(ref.namespace, ref.name)
    assert path.count("/") == 7
    assert path.isascii() and "%" not in path and "?" not in path and ".." not in path


@pytest.mark.parametrize("text", ["deployment", "secret/web", "deployment/a/b", "/web", "Deployment/web"])
def test_only_what_runs_pods_is_a_workload(text: str):
    with pytest.raises(NotANameError):
        WorkloadRef.parse("shop", text)


@pytest.mark.parametrize(
    ("expression", "labels", "selected"),
    [
        ({"key": "a", "operator": "In", "values": ["1", "2"]}, {"a": "2"}, True),
        ({"key": "a", "operator": "In", "values": ["1"]}, {}, False),
        ({"key": "a", "operator": "NotIn", "values": ["1"]}, {}, True),
        ({"key": "a", "operator": "NotIn", "values": ["1"]}, {"a": "1"}, False),
        ({"key": "a", "operator": "Exists"}, {"a": ""}, True),
        ({"key": "a", "operator": "DoesNotExist"}, {"a": ""}, False),
    ],
)
def test_expressions_mean_what_the_server_means(expression, labels, selected):
    assert selects({"matchExpressions": [expression]}, labels) is selected


def test_an_empty_selector_means_everything_and_an_unknown_operator_nothing():
    assert selects_everything({}) and selects_everything({"matchLabels": {}, "matchExpressions": []})
    assert selects({}, {"a": "1"})
    with pytest.raises(KubernetesRefusedError):
        selects({"matchExpressions": [{"key": "a", "operator": "Near"}]}, {})


def test_a_selector_as_a_query():
    both = {
        "matchLabels": {"b": "2", "a": "1"},
        "matchExpressions": [
            {"key": "c", "operator": "In", "values": ["x", "y"]},
            {"key": "d", "operator": "DoesNotExist"},
        ],
    }
    assert query(both) == "a=1,b=2,c in (x,y),!d"


def test_a_role_grants_the_rights_of_its_namespace_and_no_other():
    rights = [
        NETWORK_POLICY.may("delete", "shop", "q"),
        NETWORK_POLICY.may("create", "shop"),
        Permission("get", "", "nodes"),
    ]
    made = role("davylamp", "shop", rights)
    assert made["kind"] == "Role"
    assert made["rules"] == [
        {"apiGroups": ["networking.k8s.io"], "resources": ["networkpolicies"], "verbs": ["create"]},
        {
            "apiGroups": ["networking.k8s.io"],
            "resources": ["networkpolicies"],
            "verbs": ["delete"],
            "resourceNames": ["q"],
        },
    ]
    assert role("davylamp", "", rights)["kind"] == "ClusterRole"
