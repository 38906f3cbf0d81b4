# The widgets and where they live; loaded when they are first used. Relative imports are what the lazy loader understands.
from .widget import CourierWidget

__all__ = ["CourierWidget"]
