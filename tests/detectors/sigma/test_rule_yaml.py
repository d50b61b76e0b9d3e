"""YAML of rules: the same data as PyYAML gives, with lines, and a fault stays in its document."""

from __future__ import annotations

import pytest
import yaml

from detectors.rules import builtin
from detectors.sigma.rule_yaml import RuleYamlError, yaml_documents

SCALARS = """
- 1
- 0x1F
- 0o17
- 1_000
- 12:30:45
- 1.5
- 1e3
- .inf
- true
- Yes
- 'yes'
- "a\\tb"
- ~
- null
- ''
- 2024-01-02
- 2024-01-02T03:04:05Z
- 2024/01/02
- "="
- |
  two
  lines
- >
  folded
  text
- [a, {b: c}]
- {a: [], b: {}}
- plain text with # no comment
- a:b
"""


@pytest.mark.parametrize("text", [SCALARS, *(document.text for document in builtin())])
def test_values_are_those_of_pyyaml(text: str) -> None:
    found = list(yaml_documents(text))
    assert [document.data for document in found] == list(yaml.safe_load_all(text))
    assert all(document.fault is None for document in found)


def test_documents_have_their_lines() -> None:
    found = list(yaml_documents("a: 1\nb: 2\n---\n# note\nc: 3\n...\n"))
    assert [(document.first_line, document.data) for document in found] == [
        (1, {"a": 1, "b": 2}),
        (5, {"c": 3}),
    ]
    assert found[0].last_line >= 2


def test_a_fault_stays_in_its_document_and_points_at_its_line() -> None:
    found = list(yaml_documents("a: &x 1\n---\nb: 2\n---\nc: 1\nc: 2\n---\nd: 4\n"))
    assert [document.fault and document.fault.line for document in found] == [1, None, 6, None]
    assert [document.data for document in found if document.fault is None] == [{"b": 2}, {"d": 4}]


def test_documents_before_a_broken_one_are_given() -> None:
    documents = yaml_documents("a: 1\n---\nb: [\n---\nc: 3\n")
    assert next(documents).data == {"a": 1}
    with pytest.raises(RuleYamlError, match="not YAML") as caught:
        list(documents)
    assert caught.value.fatal
    assert caught.value.line == 4
