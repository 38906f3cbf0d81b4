"""Options and questions of what deletes or adds messages."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

from courier_nb.cli.output import emit
from courier_nb.core.errors import ConfirmationNeeded
from courier_nb.core.printable import plain
from courier_nb.flows.plans import Plan

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")


def confirm_option(command: F) -> F:
    """Add ``--confirm``."""
    return click.option("--confirm", metavar="NAME", help="The queue's name, which production asks for.")(command)


def dry_run_option(command: F) -> F:
    """Add ``--dry-run``."""
    return click.option("--dry-run", is_flag=True, help="Say what would be done and what it costs; change nothing.")(command)


def confirmed(call: Callable[[str | None], T], confirm: str | None) -> T:
    """Make a call that production may want confirmed; ask for the name where somebody is there to type it.

    Parameters
    ----------
    call : callable
        Is given what was typed.
    confirm : str or None
        What the option said.
    """
    try:
        return call(confirm)
    except ConfirmationNeeded as error:
        if confirm is not None or not sys.stdin.isatty():
            raise
        click.echo(plain(str(error)), err=True)
        typed = click.prompt(f"Type {plain(error.destination)} to go on", err=True)
        if typed != error.destination:
            raise
        return call(typed)


def emit_plan(plan: Plan) -> int:
    """Print a plan."""
    emit(plan.document(), "\n".join(plan.lines()), plan)
    return 0
