"""Folders of the operator's files, as a cluster mounts them."""

from __future__ import annotations

from pathlib import Path

from config.folder import files_in
from daemon.playbook_library import playbook_texts
from daemon.ruleset import documents


def mounted(folder: Path, name: str, text: str) -> Path:
    """A ConfigMap volume as the kubelet lays it out."""
    real = folder / "..2026_11_23_10_00_00.123"
    real.mkdir(parents=True)
    (real / name).write_text(text, encoding="utf-8")
    (folder / "..data").symlink_to(real.name)
    (folder / name).symlink_to(Path("..data") / name)
    return folder


def test_a_mounted_file_is_read_once(tmp_path: Path) -> None:
    rules = mounted(tmp_path / "rules", "ours.yml", "title: x")
    assert [document.text for document in documents([rules])] == ["title: x"]
    playbooks = mounted(tmp_path / "playbooks", "ours.md", "text")
    assert [p.text for p in playbook_texts([playbooks], shipped=False)] == ["text"]
    assert [document.text for document in documents([rules / "..data"])] == ["title: x"]


def test_only_the_wanted_files_below_a_folder_in_order(tmp_path: Path) -> None:
    for name in ("b.yml", "a.yaml", "c.txt", "deep/d.yml", ".git/e.yml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x", encoding="utf-8")
    found = [str(file.relative_to(tmp_path)) for file in files_in(tmp_path, (".yml", ".yaml"))]
    assert found == ["a.yaml", "b.yml", "deep/d.yml"]
    assert files_in(tmp_path / "c.txt", (".yml",)) == [tmp_path / "c.txt"]
