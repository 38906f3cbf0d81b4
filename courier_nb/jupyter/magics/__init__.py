"""``%courier`` and ``%%courier``: the command line in a notebook, cells as messages, cells as SQL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from courier_nb.jupyter.magics.courier import CourierMagics

NAME = "courier"
_KINDS = ("line", "cell")


@dataclass(frozen=True, slots=True)
class _Added:
    magics: CourierMagics
    before: dict[str, Any]
    """What had the name before, by kind."""


_added: WeakKeyDictionary[InteractiveShell, _Added] = WeakKeyDictionary()


def load_ipython_extension(ip: InteractiveShell) -> None:
    """Add ``%courier``, ``%%courier`` and their completion to an IPython shell: what ``%load_ext courier_nb`` calls.

    Parameters
    ----------
    ip : InteractiveShell
    """
    from courier_nb.jupyter.magics.completion import complete  # not at import: the package is there without IPython too
    from courier_nb.jupyter.magics.courier import CourierMagics

    unload_ipython_extension(ip)
    magics = CourierMagics(ip)
    known = ip.magics_manager.magics
    _added[ip] = _Added(magics, {kind: known[kind][NAME] for kind in _KINDS if NAME in known[kind]})
    ip.magics_manager.register_function(magics.line, "line", NAME)
    ip.magics_manager.register_function(magics.cell, "cell", NAME)
    ip.Completer.custom_matchers.append(complete)


def unload_ipython_extension(ip: InteractiveShell) -> None:
    """Take away what `load_ipython_extension` added, and nothing else: what ``%unload_ext courier_nb`` calls.

    Parameters
    ----------
    ip : InteractiveShell
    """
    added = _added.pop(ip, None)
    if added is None:
        return
    from courier_nb.jupyter.magics.completion import complete

    known = ip.magics_manager.magics
    for kind, function in zip(_KINDS, (added.magics.line, added.magics.cell), strict=True):
        if known[kind].get(NAME) == function:
            del known[kind][NAME]
            known[kind].update({NAME: added.before[kind]} if kind in added.before else {})
    if getattr(ip.magics_manager.user_magics, NAME, None) in (added.magics.line, added.magics.cell):
        delattr(ip.magics_manager.user_magics, NAME)
    ip.Completer.custom_matchers.remove(complete)
    added.magics.clients.close()
