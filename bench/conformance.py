"""How other Sigma engines that Python can call answer the conformance suite: right, wrong, refused.

Run `python bench/conformance.py [FOLDER] [--json] [--wrong ENGINE]`. It makes a virtual environment in a
temporary folder, installs pinned versions there with pip, and gives each engine the plain cases (one rule
document, routing apart: neither engine takes correlations or log sources). *right*: the expected answer;
*wrong*: the other one, an exception on the event, or none within 2 s; *refused*: the rule did not load though
it should. Cases with pipelines are none for azuma, which has no pipelines. `--wrong` prints the ids of an
engine's wrong answers.
"""

from __future__ import annotations

import argparse
import json
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import venv
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

PINNED = {
    "azuma": ["azuma==0.7.3", "packaging==26.3", "pyyaml==6.0.3"],
    "pysigma-sqlite": ["pysigma==2.0.1", "pysigma-backend-sqlite==2.1.1"],
}
ENGINES = ("davylamp", *PINNED)
VERDICTS = ("right", "wrong", "refused")
NOT_ASKED = "not asked"
ROUTED = "logsource"
PATIENCE_S = 2
Matcher = Callable[[dict[str, Any]], bool]


def flat(value: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield dotted names and values: neither engine looks into nested objects itself."""
    for key, inner in value.items():
        if isinstance(inner, dict) and inner:
            yield from flat(inner, f"{prefix}{key}.")
        else:
            yield prefix + key, inner


def azuma(text: str, _pipelines: list[str]) -> Matcher:
    """Load a rule as azuma does."""
    from azuma import Rule

    match = Rule.model_validate_yaml(text).match
    return lambda event: bool(match(dict(flat(event))))


def pysigma_sqlite(text: str, pipelines: list[str]) -> Matcher:
    """Load a rule as SQL over a table with a column (without affinity, no regard to case) for every field."""
    from sigma.backends.sqlite import sqliteBackend
    from sigma.collection import SigmaCollection
    from sigma.processing.pipeline import ProcessingPipeline
    from sigma.processing.resolver import ProcessingPipelineResolver

    resolved = ProcessingPipelineResolver(
        {str(place): ProcessingPipeline.from_yaml(one) for place, one in enumerate(pipelines)}
    ).resolve([str(place) for place in range(len(pipelines))])
    queries = sqliteBackend(resolved).convert(SigmaCollection.from_yaml(text))
    wheres = [query.split(" WHERE ", 1)[1] for query in queries]
    named = {name for where in wheres for name in re.findall("`([^`]+)`", where)}
    named |= set(re.findall(r"[\w.]+", " ".join(wheres)))

    def match(event: dict[str, Any]) -> bool:
        row = {name: _cell(value) for name, value in flat(event)}
        columns = {name.casefold(): name for name in (*named, *row) if name}
        connection = sqlite3.connect(":memory:")
        connection.create_function(
            "regexp", 2, lambda expression, value: re.search(expression, str(value or "")) is not None
        )
        names = ", ".join(f'"{name}" COLLATE NOCASE' for name in columns.values())
        connection.execute(f"CREATE TABLE logs ({names})")
        values = {name.casefold(): value for name, value in row.items()}
        marks = ", ".join("?" * len(columns))
        connection.execute(f"INSERT INTO logs VALUES ({marks})", [values.get(name) for name in columns])
        found = any(
            connection.execute(f"SELECT count(*) FROM logs WHERE {where}").fetchone()[0] for where in wheres
        )
        connection.close()
        return found

    return match


def _cell(value: Any) -> Any:
    if isinstance(value, list | dict):
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return str(value).lower() if isinstance(value, bool) else value


def answer(case: dict[str, Any], load: Callable[[str, list[str]], Matcher]) -> str:
    """Return the verdict on one case."""
    expected = case["expected"]
    if case["pipelines"] and load is azuma:
        return NOT_ASKED
    refused = bool({"refused", "refused_pipeline"} & set(expected))
    try:
        match = load(case["documents"][0], case["pipelines"])
    except ImportError:
        raise
    except Exception:  # any engine's own way to refuse
        return "right" if refused else "refused"
    if refused:
        return "wrong"
    signal.alarm(PATIENCE_S)
    try:
        return "right" if match(case["events"][0]) is expected["match"] else "wrong"
    except Exception:  # an engine that raises on an event, or does not end, has no answer to it
        return "wrong"
    finally:
        signal.alarm(0)


def _too_long(_signal: int, _frame: object) -> None:
    raise TimeoutError


def serve(engine: str) -> None:
    """Answer the cases on stdin, one a line: this runs inside the engine's own environment."""
    load = {"azuma": azuma, "pysigma-sqlite": pysigma_sqlite}[engine]
    signal.signal(signal.SIGALRM, _too_long)
    for line in sys.stdin:
        case = json.loads(line)
        print(json.dumps([case["id"], answer(case, load)]), flush=True)


def plain_cases(folder: Path) -> list[dict[str, Any]]:
    """Return the opened cases of one rule document and no routing."""
    from daemon.cli.conform import read_cases

    opened = [case.to_json() for case in read_cases(folder)]
    return [
        case
        for case in opened
        if len(cast("list[str]", case["documents"])) == 1
        and case["topic"] != ROUTED
        and {"match", "refused", "refused_pipeline"} & set(cast("dict[str, object]", case["expected"]))
    ]


def ours(folder: Path) -> dict[str, str]:
    """Return our own verdicts; a rule that did not load counts as refused."""
    from daemon.cli.conform import read_cases
    from detectors.sigma.conformance import judge_all

    return {
        v.case.id: "right" if v.passed else "refused" if v.seen.startswith("refused") else "wrong"
        for v in judge_all(read_cases(folder))
    }


def theirs(engine: str, cases: list[dict[str, Any]], home: Path) -> dict[str, str]:
    """Return the verdicts of an engine in an environment of its own below `home`."""
    place = home / engine
    venv.create(place, with_pip=True)
    python = place / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", *PINNED[engine]], check=True)
    lines = "".join(json.dumps(case) + "\n" for case in cases)
    command = [python, Path(__file__).resolve(), "--engine", engine]
    done = subprocess.run(command, input=lines, capture_output=True, text=True, check=True, cwd=home)
    return dict(json.loads(line) for line in done.stdout.splitlines() if line.startswith('["'))


def table(cases: list[dict[str, Any]], verdicts: dict[str, dict[str, str]]) -> list[list[str]]:
    """Return a row a topic and basis, then the sums: right/wrong/refused of each engine."""
    counts: Counter[tuple[str, str, str, str]] = Counter()
    sizes: Counter[tuple[str, str]] = Counter()
    for case in cases:
        for topic in (case["topic"], "all"):
            sizes[topic, case["basis"]] += 1
            for engine, known in verdicts.items():
                counts[engine, topic, case["basis"], known.get(case["id"], "wrong")] += 1
    rows: list[list[str]] = []
    for topic, basis in sorted(
        sizes, key=lambda pair: (pair[0] == "all", pair[0], pair[1] != "specification")
    ):
        cells = ["/".join(str(counts[e, topic, basis, v]) for v in VERDICTS) for e in ENGINES]
        rows.append([topic, basis, str(sizes[topic, basis]), *cells])
    return rows


def main() -> None:
    """Run all engines and print the table, in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=Path("tests/conformance"))
    parser.add_argument("--engine", choices=tuple(PINNED), help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--wrong", choices=ENGINES)
    given = parser.parse_args()
    if given.engine:
        serve(given.engine)
        return
    cases = plain_cases(given.folder)
    verdicts = {"davylamp": ours(given.folder)}
    with tempfile.TemporaryDirectory() as home:
        for engine in PINNED:
            verdicts[engine] = theirs(engine, cases, Path(home))
    rows = table(cases, verdicts)
    head = ["topic", "basis", "cases", *ENGINES]
    if given.wrong:
        print("\n".join(c["id"] for c in cases if verdicts[given.wrong].get(c["id"], "wrong") == "wrong"))
    elif given.json:
        print(json.dumps([dict(zip(head, row, strict=True)) for row in rows]))
    else:
        for row in (head, ["---"] * len(head), *rows):
            print(f"| {' | '.join(row)} |")


if __name__ == "__main__":
    main()
