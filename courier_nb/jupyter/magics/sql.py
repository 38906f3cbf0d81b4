"""``%%courier sql``: a query over the captures and frames of the notebook."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeGuard

import click
import pandas as pd

from courier_nb.core.errors import InvalidArgument
from courier_nb.flows.reports import Received
from courier_nb.jupyter.magics.notebook import Notebook, pass_notebook
from courier_nb.querying import engine
from courier_nb.querying.sql import Queryable
from courier_nb.querying.sql import sql as run
from courier_nb.storage.capture import Capture

_SHOWN = 12


@click.command(short_help="Run the cell as SQL over captures and frames.")
@click.option("--to", "name", metavar="NAME", help="Put the result into this variable in place of showing it.")
@pass_notebook
def sql(notebook: Notebook, name: str | None) -> None:
    """Run the cell as one SQL query (DuckDB) over frames, captures and received messages, by the names of their variables.

    The folder of a capture is named in quotes: FROM 'captures/today'.
    """
    if name is not None and not name.isidentifier():
        raise click.UsageError(f"--to {name!r}: the name of a variable was expected.")
    names = engine.table_names(notebook.cell)
    tables = {table: _find(table, notebook.namespace) for table in names.needed}
    tables.update((table, notebook.namespace[table]) for table in names.perhaps if _is_table(notebook.namespace.get(table)))
    frame = run(notebook.cell, **tables)
    if name is None:
        notebook.result = frame
    else:
        notebook.namespace[name] = frame
        click.echo(f"{name}: {len(frame)} rows, {len(frame.columns)} columns.")


def _find(name: str, namespace: dict[str, Any]) -> Queryable:
    found = namespace.get(name)
    if _is_table(found):
        return found
    if name not in namespace and Path(name).is_dir():
        return Path(name)
    known = [key for key, value in namespace.items() if _is_table(value) and not key.startswith("_")]
    said = f"{', '.join(known[:_SHOWN])}{', …' if len(known) > _SHOWN else ''}" or "none yet"
    what = "no variable or folder of a capture" if name not in namespace else f"a {type(found).__name__}, no table"
    raise InvalidArgument(f"{name!r} is {what}. Frames and captures of this notebook: {said}.")


def _is_table(value: object) -> TypeGuard[pd.DataFrame | Capture | Received]:
    return isinstance(value, pd.DataFrame | Capture | Received)
