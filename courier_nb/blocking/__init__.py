"""The blocking face: the same methods and arguments as the async one. Works in scripts and in Jupyter cells."""

from courier_nb.blocking.client import Client, connect
from courier_nb.blocking.destination import Destination

__all__ = ["Client", "Destination", "connect"]
