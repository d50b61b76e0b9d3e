"""`davylamp rules convert`: rules as queries of a SIEM."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
import orjson

from config.detection import Detection
from daemon.cli.database import config_option, settings_of
from daemon.cli.inventory_option import inventory_option
from daemon.cli.listing import print_line
from daemon.pipelines import pipelines as load_pipelines
from daemon.ruleset import documents, placeholders_of
from detectors.rules import builtin

if TYPE_CHECKING:
    from sigma.processing.pipeline import ProcessingPipeline

    from daemon.conversion import Converter, Names, Query, Target
    from daemon.rule_library import Library
    from detectors.sigma.document import Refusal, RuleDocument

TARGETS: Final = ("esql", "lucene", "opensearch", "splunk")
_ECS_TARGETS: Final = ("esql", "lucene", "opensearch")


@click.command("convert")
@click.argument("rules", nargs=-1, required=True, metavar="RULE...")
@click.option("--to", "target", type=click.Choice(TARGETS), required=True, help="The query language.")
@click.option("--rules", "folders", multiple=True, type=click.Path(path_type=Path), help="More rules.")
@click.option(
    "--pipeline",
    "steps",
    multiple=True,
    metavar="FILE|NAME",
    help="A pySigma pipeline: a file, or the name of one that an installed backend brings.",
)
@click.option(
    "--fields",
    "names",
    type=click.Choice(("ecs", "raw")),
    help="Names of Davylamp's ECS documents, or as the rule writes them.",
)
@inventory_option
@config_option
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.pass_context
def convert_rules(
    ctx: click.Context,
    rules: tuple[str, ...],
    target: Target,
    folders: tuple[Path, ...],
    steps: tuple[str, ...],
    names: Names | None,
    inventories: tuple[Path, ...],
    path: Path | None,
    as_json: bool,
) -> None:
    """Print the query of each RULE: an id, a name, a rule file, or a folder of them.

    Queries for Elasticsearch and OpenSearch speak of the documents that Davylamp sends there (--fields ecs);
    with --pipeline, and for Splunk, fields stay as the rule writes them, unless --fields says otherwise.

    Classes and placeholders stand in a query with their members: convert again when they change. Of the
    configuration `detection.inventory` and `detection.placeholders` count.

    A rule that the target cannot express is reported with the reason, and the others are printed. Exit 1 if
    there is one.
    """
    from daemon.conversion import Converter  # pySigma: heavy
    from daemon.rule_library import Library

    given = {rule: documents([Path(rule)]) for rule in rules if Path(rule).exists()}
    library = Library.of([*chain(*given.values()), *documents(folders), *builtin()])
    wanted = _wanted(library, rules, given)
    files, plugins = _steps(steps)
    said = settings_of(path).detection if path else Detection()
    asked = Detection(
        pipelines=files, inventory=(*said.inventory, *inventories), placeholders=said.placeholders
    )
    checking, working = _loaded(asked), _loaded(asked)
    if names is None:
        names = "ecs" if target in _ECS_TARGETS and not steps else "raw"
    values = placeholders_of(asked)
    converter = Converter(library, target, names, checking, working.for_backend(), plugins, values)
    queries, refused = _converted(converter, wanted)
    paths = {document.path for document in chain(*given.values())}
    refused = [item for item in library.refusals if item.path in paths] + refused
    if as_json:
        click.echo(orjson.dumps(_document(target, names, queries, refused)))
    else:
        _print(queries, refused)
    ctx.exit(1 if refused else 0)


def _wanted(library: Library, rules: Sequence[str], given: Mapping[str, Sequence[RuleDocument]]) -> list[str]:
    """Return the ids of the rules that are asked for, each once, in order. Raises click.UsageError."""
    found: list[str] = []
    for rule in rules:
        stems = [path for path in library.ids_of if Path(path).stem == rule]
        if rule in library.named:
            found.append(library.named[rule])
        elif rule in given or stems:
            paths = stems if rule not in given else [document.path for document in given[rule]]
            found += [known for path in paths for known in library.ids_of.get(path, ())]
        else:
            raise click.UsageError(
                f"no rule is called {rule!r} by id, name or file; davylamp rules list shows them"
            )
    return list(dict.fromkeys(found))


def _steps(steps: Sequence[str]) -> tuple[tuple[Path, ...], list[ProcessingPipeline]]:
    """Return the files, and the pipelines that backends bring, by name. Raises click.UsageError."""
    files = tuple(Path(step) for step in steps if Path(step).exists() or step.endswith((".yml", ".yaml")))
    names = [step for step in steps if Path(step) not in files]
    if not names:
        return files, []
    from sigma.plugins import InstalledSigmaPlugins

    known = InstalledSigmaPlugins.autodiscover().pipelines
    if unknown := [name for name in names if name not in known]:
        raise click.UsageError(
            f"{unknown[0]!r} is no file and no pipeline of a backend; there are {', '.join(sorted(known))}"
        )
    made = [known[name] for name in names]
    return files, [pipeline() if callable(pipeline) else pipeline for pipeline in made]


def _loaded(asked: Detection):
    from detectors.sigma.pipeline.pipelines import Pipelines

    return load_pipelines(asked) or Pipelines()


def _converted(converter: Converter, wanted: Sequence[str]) -> tuple[list[Query], list[Refusal]]:
    from daemon.conversion import Query

    queries: list[Query] = []
    refused: list[Refusal] = []
    for rule_id in wanted:
        made = converter.convert(rule_id)
        if isinstance(made, Query):
            queries.append(made)
        else:
            refused.append(made)
    return queries, refused


def _print(queries: Sequence[Query], refused: Sequence[Refusal]) -> None:
    """Print one query alone, several with their rules above them; refusals go to stderr."""
    for query in queries:
        if len(queries) > 1:
            print_line(f"# {query.rule_id}  {query.title}")
        click.echo(query.query)
        if len(queries) > 1:
            click.echo()
    for refusal in refused:
        click.echo(str(refusal), err=True)
    if len(queries) + len(refused) > 1:
        click.echo(f"{len(queries)} converted, {len(refused)} refused", err=True)


def _document(
    target: Target, names: Names, queries: Sequence[Query], refused: Sequence[Refusal]
) -> dict[str, object]:
    return {
        "target": target,
        "fields": names,
        "queries": [
            {"id": query.rule_id, "title": query.title, "level": query.level, "query": query.query}
            for query in queries
        ],
        "refused": [
            {"id": r.rule_id, "file": r.path, "line": r.line, "reason": r.reason, "way_out": r.way_out}
            for r in refused
        ],
    }
