"""The Stats API: what is below ``/mq/stats/api/v1`` and an organization. ``table`` lists its operations."""
