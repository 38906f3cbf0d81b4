"""The notebook's face: the workbench and its parts.

``client.browse()`` opens the whole; each part is a widget of its own, with traits that are plain Python values.
"""

from __future__ import annotations

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
