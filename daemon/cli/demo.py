"""`davylamp demo`: the TerraMiner breach on this machine, on real parts, found, contained and proven."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import sys
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Final, TextIO

import click
import orjson

if TYPE_CHECKING:
    from daemon.demo.board import Board
    from daemon.demo.play import Play
    from daemon.demo.result import Result

_NOT_OK: Final = 1
_NOT_DONE: Final = 3


@click.command()
@click.option("--once", is_flag=True, help="Exit when done: 0 if all went as it must, else 1.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document on stdout, the view on stderr."
)
@click.option(
    "--passes", type=click.IntRange(1, 2), default=1, help="2: read everything twice; nothing new may come."
)
@click.option(
    "--speed", type=click.FloatRange(0.1, 100.0), default=1.0, help="How fast the breach is played."
)
@click.option("--seed", type=int, default=7, show_default=True, help="Another seed, another platform.")
@click.option("--no-browser", is_flag=True, help="Do not open the pages.")
@click.option(
    "--keep", type=click.Path(path_type=Path, file_okay=False), help="Work in this folder and leave it."
)
@click.pass_context
def demo(
    ctx: click.Context,
    once: bool,
    as_json: bool,
    passes: int,
    speed: float,
    seed: int,
    no_browser: bool,
    keep: Path | None,
) -> None:
    """Play the TerraMiner breach with an embedded broker, vault and database."""
    from daemon.demo.board import Board
    from daemon.demo.error import DemoError
    from daemon.demo.live import shown

    stream = sys.stderr if as_json else sys.stdout
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with contextlib.ExitStack() as ending:
            board = Board()
            with shown(board, stream):
                play = _staged(board, ending, keep, seed=seed, speed=speed, passes=passes)
                result = asyncio.run(play.run())
            _say(result, play, board.address, stream)
            if as_json:
                sys.stdout.buffer.write(orjson.dumps(result.to_json()) + b"\n")
                sys.stdout.flush()
            if not once:
                _stay(play, board, stream, browser=not no_browser and not as_json)
    except DemoError as error:
        click.echo(str(error), err=True)
        ctx.exit(_NOT_DONE)
    ctx.exit(0 if result.ok else _NOT_OK)


def _staged(
    board: Board, ending: contextlib.ExitStack, keep: Path | None, *, seed: int, speed: float, passes: int
) -> Play:
    """Return the play on its stage. The libraries load here, when the view is up already."""
    board.begin("loading")
    from daemon.demo.play import Options, Play
    from daemon.demo.scene import Scene

    scene = ending.enter_context(Scene(seed, keep=keep))
    logging.basicConfig(filename=scene.folder / "demo.log", level=logging.WARNING, force=True)
    play = Play(scene, board, Options(seed, speed, passes))
    ending.callback(play.close)
    board.end()
    return play


def _say(result: Result, play: Play, address: str, stream: TextIO) -> None:
    lines = ["", *result.timeline_lines(), "", *result.conservation_lines(), ""]
    lines += [f"{'yes' if holds else 'NO ':<4} {fact}" for fact, holds in result.facts.items()]
    lines += ["", f"pages: {address}"]
    lines += [f"approve as {name} (once): {link}" for name, link in play.links.items()]
    print("\n".join(lines), file=stream, flush=True)


def _stay(play: Play, board: Board, stream: TextIO, *, browser: bool) -> None:
    print("Ctrl-C ends everything.", file=stream, flush=True)
    if browser and board.address and stream.isatty():
        webbrowser.open(board.address)
    board.told = lambda line: print(line, file=stream, flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(play.stay())
