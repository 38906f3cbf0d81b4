"""Pictures of messages: when they came, how old they are, how often they were tried, how large they are, how long they have left.

Each function takes a frame, what was received, or a capture, reads the columns that it needs, and returns the matplotlib Axes.
Matplotlib (the extra ``lab``) is loaded when the first picture is drawn. The user's own settings of it are left alone.
"""

from courier_nb.plots.counts import delivery_count, size, top_values
from courier_nb.plots.times import age, arrivals, lock_left, ttl_left

__all__ = ["age", "arrivals", "delivery_count", "lock_left", "size", "top_values", "ttl_left"]
