"""Compiling in processes apart: the same rules as here, in order, and one bad file costs only itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from daemon.rule_compiler import APART_FROM, compiled, compiled_here
from daemon.rule_loader import RuleLoader
from detectors.sigma.document import RuleDocument
from detectors.sigma.preparation import UNPREPARED, Preparation

RULE = """title: one
id: 11111111-1111-4111-8111-{number:012d}
logsource: {{product: test}}
detection:
  s: {{f|expand: '%names%'}}
  condition: s
"""
MANY = [RuleDocument(f"{number}.yml", RULE.format(number=number)) for number in range(APART_FROM + 3)]
NAMED = Preparation({"names": ("kim", 7)})


def test_processes_apart_give_what_this_one_gives_in_order() -> None:
    documents = [*MANY, RuleDocument("bad.yml", "title: [")]
    found = compiled(documents, NAMED)
    assert [made.document for made in found] == documents
    assert [made.data for made in found] == [compiled_here(document, NAMED).data for document in documents]
    assert all(made.file is None for made in found)


def test_without_a_temporary_folder_it_goes_on_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no python"))
    assert len([made for made in compiled(MANY, NAMED) if made.file is not None]) == len(MANY)


def test_a_file_that_ends_its_process_is_refused_and_the_others_load(tmp_path: Path) -> None:
    """The process dies at one file, as libyaml's composer does on 200,000 brackets."""
    python = tmp_path / "python"
    python.write_text(
        f"#!{sys.executable}\n"
        "import os, sys\n"
        "import detectors.sigma.compiling as compiling\n"
        "compile_file = compiling.compile_file\n"
        "def deadly(document, preparation):\n"
        "    if document.path == '7.yml':\n"
        "        os.abort()\n"
        "    return compile_file(document, preparation)\n"
        "compiling.compile_file = deadly\n"
        "from daemon.rule_compiler import serve\n"
        "serve()\n",
        encoding="utf-8",
    )
    python.chmod(0o755)
    code = (
        "import sys\n"
        "from daemon import rule_compiler\n"
        "from detectors.sigma.document import RuleDocument\n"
        "from detectors.sigma.preparation import Preparation\n"
        f"sys.executable = {str(python)!r}\n"
        f"documents = [RuleDocument(f'{{n}}.yml', {RULE!r}.format(number=n)) for n in range({len(MANY)})]\n"
        "found = rule_compiler.compiled(documents, Preparation({'names': ('kim',)}))\n"
        "lost = [made.document.path for made in found if made.file is not None]\n"
        "print(len(found), lost, found[7].file.refusals[0].reason)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith(f"{len(MANY)} ['7.yml'] reading it ends the process"), done.stdout


def test_nothing_of_the_working_directory_is_imported(tmp_path: Path) -> None:
    """A folder of rules may hold Python files with our names; a load from inside it runs none of them."""
    rules = tmp_path / "rules"
    (rules / "daemon").mkdir(parents=True)
    for name in ("daemon/__init__.py", "json.py", "sitecustomize.py", "orjson.py"):
        (rules / name).write_text("open('pwned', 'w')", encoding="utf-8")
    for number, document in enumerate(MANY):
        (rules / f"{number}.yml").write_text(document.text, encoding="utf-8")
    code = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from daemon.rule_loader import RuleLoader\n"
        "from detectors.sigma.preparation import Preparation\n"
        "sys.path = [entry for entry in sys.path if entry]\n"
        "os.chdir(sys.argv[1])\n"
        "loader = RuleLoader([Path('.')], Preparation({'names': ('kim',)}))\n"
        "print(len(loader.load()[0].rules))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(rules)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == str(len(MANY))
    assert not (rules / "pwned").exists()


def test_a_loader_that_finds_all_in_the_cache_never_imports_the_parser(tmp_path: Path) -> None:
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "one.yml").write_text(MANY[0].text.replace("|expand", ""), encoding="utf-8")
    RuleLoader([rules], UNPREPARED, cache_folder=tmp_path / "cache").load()
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from daemon.rule_loader import RuleLoader\n"
        "from detectors.sigma.preparation import UNPREPARED\n"
        "loader = RuleLoader([Path(sys.argv[1])], UNPREPARED, cache_folder=Path(sys.argv[2]))\n"
        "ruleset, report = loader.load()\n"
        "print(len(ruleset.rules), report.cache['hits'], 'sigma.collection' in sys.modules)\n"
    )
    given = [str(rules), str(tmp_path / "cache")]
    done = subprocess.run([sys.executable, "-c", code, *given], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "1", "False"]
