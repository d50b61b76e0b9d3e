"""A site's inventory files: what is wrong is said with file and line, all at once."""

from __future__ import annotations

import pytest

from config.errors import ConfigurationError
from config.inventory import read_inventory

CLASSES = ("kubernetes_ci", "aws_own_accounts")


def test_names_of_several_files_are_one_class(tmp_path):
    (tmp_path / "a.yaml").write_text("kubernetes_ci: [a, b]\naws_own_accounts: [111122223333]\n")
    (tmp_path / "b.yaml").write_text("kubernetes_ci: [c]\n")
    found = read_inventory([tmp_path / "a.yaml", tmp_path / "b.yaml"], CLASSES)
    assert found == {"kubernetes_ci": ("a", "b", "c"), "aws_own_accounts": ("111122223333",)}


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("kubernetes_ci: [a]\nkubernetes_c: [a]\n", 2, "did you mean 'kubernetes_ci'"),
        ("kubernetes_ci: a\n", 1, "must be a list"),
        ("kubernetes_ci:\n  - a\n  - '*'\n", 3, "stands for everybody"),
        ("kubernetes_ci:\n  - '**?'\n", 2, "stands for everybody"),
        ("kubernetes_ci:\n  - a\n  - [b]\n", 3, "is list"),
        ("kubernetes_ci:\n  - true\n", 2, "is bool"),
        ("kubernetes_ci: ['" + "x" * 513 + "']\n", 1, "at most 512"),
        ("- a\n", 1, "must be a mapping"),
        ("kubernetes_ci: [a\n", 2, "not YAML"),
    ],
)
def test_a_problem_has_its_place_and_the_way_out(tmp_path, text, line, said):
    path = tmp_path / "inventory.yaml"
    path.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        read_inventory([path], CLASSES)
    problem = caught.value.problems[0]
    assert problem.place == f"{path}:{line}"
    assert said in str(problem)


def test_every_problem_of_every_file_is_said(tmp_path):
    (tmp_path / "a.yaml").write_text("no: [a]\nnone: [a]\n")
    with pytest.raises(ConfigurationError) as caught:
        read_inventory([tmp_path / "a.yaml", tmp_path / "away.yaml"], CLASSES)
    assert len(caught.value.problems) == 3
