"""The JavaScript and CSS of the widgets: plain files, joined when a widget's class is made. There is no build step."""

from __future__ import annotations

from importlib.resources import files


def bundle(*names: str) -> str:
    """Return the static files of these names as one text.

    A front end loads a widget's script as a single module, so files that belong together are joined; they share one scope, and
    the last one exports what the front end calls.
    """
    static = files("courier_nb.jupyter") / "static"
    return "\n".join((static / name).read_text(encoding="utf-8") for name in names)
