"""The inventory of consumers: read by target, refused with file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.consumers import read_consumers
from config.errors import ConfigurationError

KEY = "database_static_pair:database/orders"


def written(folder: Path, text: str) -> Path:
    path = folder / "consumers.yaml"
    path.write_text(text)
    return path


def test_consumers_of_all_files_are_read_by_target(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        f"{KEY}:\n  - {{name: orders-api, application: orders-*, address: 10.2.0.0/16}}\n"
        "  - {name: report, account: shop/report, expected: false}\n",
    )
    found = read_consumers([path], [KEY])[KEY]
    assert [(one.name, one.expected) for one in found] == [("orders-api", True), ("report", False)]


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("kv_http_key:secret/x:\n  - {name: a, entity: e}\n", 1, "is no configured target"),
        (f"{KEY}:\n  - {{name: a}}\n", 2, "says not how it is recognised"),
        (f"{KEY}:\n  - {{name: a, application: '*'}}\n", 2, "everybody is called so"),
        (f"{KEY}:\n  - {{name: a, address: 0.0.0.0/0}}\n", 2, "everybody is there"),
        (f"{KEY}:\n  - {{name: a, entity: e}}\n  - {{nmae: b}}\n", 3, "Field required"),
        (f'{KEY}:\n  - {{name: "a\\nb", entity: e}}\n', 2, "should match pattern"),
        (f"{KEY}: 7\n", 1, "must be a list of consumers"),
        (f"{KEY}:\n  - 7\n", 2, "valid dictionary"),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_line(
    tmp_path: Path, text: str, line: int, said: str
) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ConfigurationError) as error:
        read_consumers([path], [KEY])
    assert str(error.value).startswith(f"{path}:{line}: ")
    assert said in str(error.value)


def test_a_name_twice_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, f"{KEY}:\n  - {{name: a, entity: e}}\n  - {{name: a, entity: f}}\n")
    with pytest.raises(ConfigurationError, match="named twice: a"):
        read_consumers([path], [KEY])
