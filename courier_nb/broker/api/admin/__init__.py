"""The Admin API: what is below ``/mq/admin/api`` and an environment. ``table`` lists its operations."""
