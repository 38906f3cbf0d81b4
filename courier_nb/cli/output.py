"""What the commands print: lines for people, one JSON document with ``--json``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from courier_nb.cli.host import current_host
from courier_nb.core import exactjson
from courier_nb.core.errors import CourierError
from courier_nb.core.printable import plain_json
from courier_nb.frames.text import plain

_json_wanted = False


def want_json(wanted: bool) -> None:
    """Remember that this run prints JSON, errors included."""
    global _json_wanted
    _json_wanted = wanted


def json_is_wanted() -> bool:
    """Whether this run prints JSON."""
    return _json_wanted


def emit(document: Mapping[str, Any], lines: str, result: object = None) -> None:
    """Print the JSON document or the lines, whichever was asked for, unless the host shows the result itself."""
    if current_host().takes(result, document):
        return
    if _json_wanted:
        click.echo(plain_json(exactjson.dumps(dict(document)).decode("utf-8")))
    else:
        click.echo(lines)


def emit_error(error: CourierError, code: int) -> None:
    """Print an error: one line for people on stderr, and the JSON document where that was asked for."""
    notes = getattr(error, "__notes__", [])
    if _json_wanted:
        document = {"error": type(error).__name__, "message": str(error), "notes": notes, "exit_code": code}
        click.echo(plain_json(exactjson.dumps(document).decode("utf-8")))
    click.echo(f"courier-nb: {plain(' '.join([str(error), *notes]))}", err=True)


def emit_usage_error(error: click.ClickException, code: int) -> None:
    """Print what is wrong with the command line: for people on stderr, and the JSON document where that was asked for."""
    if _json_wanted:
        document = {"error": "UsageError", "message": error.format_message(), "notes": [], "exit_code": code}
        click.echo(plain_json(exactjson.dumps(document).decode("utf-8")))
    error.show()


def show_bars() -> bool:
    """Whether progress bars make sense: somebody is watching."""
    return current_host().shows_bars
