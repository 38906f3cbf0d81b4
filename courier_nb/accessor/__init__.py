"""``frame.courier``: the verbs for the rows of a DataFrame."""

from courier_nb.accessor.frame import CourierAccessor

__all__ = ["CourierAccessor"]
