"""Find out what is stuck in an Anypoint MQ queue, and put it right.

``connect()`` gives a `Client`; its destinations peek, receive, drain into Parquet, settle, publish and replay. Importing this
package opens no socket, starts no thread and loads nothing heavy: names are loaded when they are first used, so that the
local broker and the pytest plugin do not wait for pandas.
"""

from __future__ import annotations

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
