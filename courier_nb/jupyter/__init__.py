"""The notebook's face: the workbench and its parts.

``client.browse()`` opens the whole; each part is a widget of its own, with traits that are plain Python values.
"""

from __future__ import annotations

from typing import Any

import lazy_loader

_load, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
_NEEDED = ("anywidget", "ipywidgets", "traitlets")


def __getattr__(name: str) -> Any:
    try:
        return _load(name)
    except ModuleNotFoundError as error:  # the client works without them; whoever asks for a widget is told what is missing
        if error.name not in _NEEDED:
            raise
        hint = f'Widgets need {error.name}: install it with pip install "courier-nb[lab]".'
        raise ImportError(hint, name=error.name) from None
