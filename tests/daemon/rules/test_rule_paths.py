"""Where rules come from: folders, files, archives; what cannot be read is named and stops nothing."""

from __future__ import annotations

import gzip
import io
import os
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.errors import ConfigurationError
from daemon import rule_archive
from daemon.rule_archive import archive_documents
from daemon.rule_paths import read_file, rule_files
from detectors.sigma.document import Refusal, RuleDocument

FILES = {
    "sigma/rules/a.yml": b"title: a\n",
    "sigma/rules/deep/b.yaml": "title: ä\n".encode(),
    "sigma/README.md": b"no rule",
    "sigma/.github/workflows/test.yml": b"on: push\njobs: {}\n",
}


def found(*paths: Path) -> list[RuleDocument | Refusal]:
    return [one for file in rule_files(paths) for one in read_file(file)]


def tarred(path: Path, files: dict[str, bytes], *members: tarfile.TarInfo, mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
        for member in members:
            archive.addfile(member, io.BytesIO(b"x" * member.size))
    return path


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


@pytest.mark.parametrize(
    "made",
    [
        lambda folder: tarred(folder / "rules.tar", FILES),
        lambda folder: tarred(folder / "rules.tar.gz", FILES, mode="w:gz"),
        lambda folder: tarred(folder / "rules.TGZ", FILES, mode="w:gz"),
        lambda folder: zipped(folder / "rules.zip", FILES),
    ],
)
def test_an_archive_is_read_like_its_folder(tmp_path: Path, made: Callable[[Path], Path]) -> None:
    archive = made(tmp_path)
    assert found(archive) == [
        RuleDocument(f"{archive}/sigma/rules/a.yml", "title: a\n"),
        RuleDocument(f"{archive}/sigma/rules/deep/b.yaml", "title: ä\n"),
    ]


def typed(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type = kind
    member.linkname = target
    return member


def test_links_devices_and_names_that_lead_out_are_refused_by_name(tmp_path: Path) -> None:
    sound = {"a.yml": b"title: a\n"}
    hostile = {"../up.yml": b"x", "/etc/root.yml": b"x", "a\\..\\b.yml": b"x"}
    special = [
        typed("link.yml", tarfile.SYMTYPE, "/etc/passwd"),
        typed("hard.yml", tarfile.LNKTYPE, "a.yml"),
        typed("pipe.yml", tarfile.FIFOTYPE),
        typed("device.yml", tarfile.CHRTYPE),
    ]
    archive = tarred(tmp_path / "r.tar", {**hostile, **sound}, *special)
    documents = found(archive)
    assert [one.text for one in documents if isinstance(one, RuleDocument)] == ["title: a\n"]
    refused = {one.path.rpartition("/")[2]: one.reason for one in documents if isinstance(one, Refusal)}
    assert refused.keys() == {
        "up.yml",
        "root.yml",
        "a\\..\\b.yml",
        "link.yml",
        "hard.yml",
        "pipe.yml",
        "device.yml",
    }
    link = zipfile.ZipInfo("link.yml")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "r.zip", "w") as packed:
        packed.writestr(link, "/etc/passwd")
        packed.writestr("../up.yml", "x")
    assert [type(one) for one in found(tmp_path / "r.zip")] == [Refusal, Refusal]


def test_nothing_is_written_beside_the_archive(tmp_path: Path) -> None:
    archive = tarred(tmp_path / "r.tgz", {"../up.yml": b"x", "a.yml": b"title: a\n"}, mode="w:gz")
    found(archive)
    assert [path.name for path in tmp_path.iterdir()] == ["r.tgz"]


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rule_archive, "MAX_UNPACKED", 4 << 20)
    bomb = tmp_path / "bomb.tar.gz"
    with gzip.open(bomb, "wb") as file:
        for _ in range(16):
            file.write(bytes(1 << 20))
    [refusal] = found(bomb)
    assert isinstance(refusal, Refusal)
    assert "4 MiB" in refusal.reason
    many = zipped(tmp_path / "many.zip", {f"{number}.yml": b"#" * (1 << 20) for number in range(6)})
    assert "4 MiB" in str(found(many)[-1])


def test_a_header_that_asks_for_gigabytes_is_refused(tmp_path: Path) -> None:
    member = typed("x", tarfile.GNUTYPE_LONGNAME)
    header = bytearray(member.tobuf(tarfile.GNU_FORMAT))
    header[124:136] = b"\x80" + bytes(3) + (8 << 30).to_bytes(8, "big")
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header[:512])
    (tmp_path / "r.tar").write_bytes(bytes(header) + bytes(1024))
    [refusal] = found(tmp_path / "r.tar")
    assert isinstance(refusal, Refusal)
    assert refusal.way_out


@settings(max_examples=150, deadline=None)
@given(
    place=st.integers(0, 20_000),
    value=st.integers(0, 255),
    cut=st.integers(0, 20_000),
    kind=st.sampled_from("tzg"),
)
def test_a_damaged_archive_is_refused_or_read(
    tmp_path_factory: pytest.TempPathFactory, place: int, value: int, cut: int, kind: str
) -> None:
    folder = tmp_path_factory.getbasetemp()
    many = {f"{number}.yml": b"title: a\n" * number for number in range(8)}
    if kind == "z":
        path = zipped(folder / "damaged.zip", many)
    else:
        path = tarred(folder / "damaged.tar", many, mode="w:gz" if kind == "g" else "w")
    data = bytearray(path.read_bytes())
    data[place % len(data)] = value
    path.write_bytes(bytes(data[: max(1, len(data) - cut % 3_000)]))
    for one in archive_documents(path, "damaged"):
        assert isinstance(one, RuleDocument | Refusal)


def test_an_archive_that_is_none_is_refused(tmp_path: Path) -> None:
    for name in ("r.tar", "r.tar.gz", "r.zip"):
        (tmp_path / name).write_bytes(b"\x1f\x8b no archive at all")
        [refusal] = found(tmp_path / name)
        assert "cannot be read" in str(refusal)


def test_files_that_cannot_be_read_are_named_and_the_others_load(tmp_path: Path) -> None:
    (tmp_path / "good.yml").write_text("title: a\n", encoding="utf-8")
    (tmp_path / "latin.yml").write_bytes(b"title: a\nauthor: J\xf6rg\n")
    (tmp_path / "large.yml").write_bytes(b"#" * (5 << 20))
    (tmp_path / "gone.yml").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe.yml")
    documents = found(tmp_path)
    assert [one.text for one in documents if isinstance(one, RuleDocument)] == ["title: a\n"]
    refused = {Path(one.path).name: (one.reason, one.line) for one in documents if isinstance(one, Refusal)}
    assert refused["latin.yml"] == ("the file is not UTF-8", 2)
    assert refused.keys() == {"latin.yml", "large.yml", "gone.yml", "pipe.yml"}


def test_a_checkout_is_read_without_its_history(tmp_path: Path) -> None:
    for name in (".git/config.yml", ".github/workflows/ci.yml", "rules/a.yml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("title: a\n", encoding="utf-8")
    (tmp_path / "rules" / "again").symlink_to(tmp_path / "rules")
    assert [Path(one.path).name for one in found(tmp_path)] == ["a.yml"]


def test_a_path_is_read_once_however_often_it_is_given(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text("title: a\n", encoding="utf-8")
    assert len(found(tmp_path, tmp_path / "a.yml", tmp_path)) == 1


@pytest.mark.parametrize(
    "address",
    ["https://github.com/SigmaHQ/sigma", "git@github.com:SigmaHQ/sigma.git", "ssh://git@host/x", "file:///x"],
)
def test_an_address_is_refused_with_the_way_out(address: str) -> None:
    with pytest.raises(ConfigurationError, match="git clone"):
        rule_files([Path(address)])


def test_a_path_that_is_none_is_an_error_and_all_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        rule_files([tmp_path / "one", tmp_path / "two"])
    assert len(caught.value.problems) == 2


def test_a_name_that_a_screen_would_act_on_is_not_shown_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "a\x1b[2J\n.yml").write_text("title: a\n", encoding="utf-8")
    [document] = found(tmp_path)
    assert document.path.isprintable()
