"""From queue to queue, or into the same one afresh: nothing is acknowledged before its copy is confirmed."""
