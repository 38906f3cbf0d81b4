"""``demo``: the whole product in under a minute, on a throw-away broker."""

from __future__ import annotations

import tempfile
from dataclasses import asdict
from pathlib import Path

import click

from courier_nb.cli.options import json_option
from courier_nb.cli.output import emit, json_is_wanted
from courier_nb.core.errors import ConfigError


@click.command(short_help="Show the whole product in under a minute.")
@click.option(
    "--messages", type=click.Path(path_type=Path, exists=True), help="JSON Lines file, or folder of them, to use instead."
)
@click.option("--keep", type=click.Path(path_type=Path), help="Write the capture to this new folder and leave it there.")
@json_option
def demo(messages: Path | None, keep: Path | None) -> int:
    """Show everything: publish, dead-letter, look, drain to Parquet, find out what is wrong, repair, replay, prove.

    Needs no network but loopback and leaves nothing behind (unless --keep).
    """
    from courier_nb.demo.scenarios import Orders, RealMessages
    from courier_nb.demo.story import tell

    if keep is not None and keep.exists():
        raise ConfigError(f"{keep} exists already: name a new folder with --keep.", setting="keep")
    scenario = RealMessages(messages) if messages else Orders()
    quiet = json_is_wanted()
    with tempfile.TemporaryDirectory(prefix="courier_nb-demo-") as place:
        proof = tell(scenario, keep or Path(place) / "capture", _silence if quiet else click.echo, progress=not quiet)
    emit(
        {**asdict(proof), "holds": proof.holds},
        "\nThe same as a notebook, from the folder of the project:  jupyter lab notebooks/00_quickstart.ipynb",
    )
    return 0 if proof.holds else 1


def _silence(text: str) -> None:
    """Say nothing: the JSON document says it all."""
