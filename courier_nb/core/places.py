"""Where each setting may be given."""

from __future__ import annotations

from courier_nb.core.profiles import CREDENTIALS

ENVIRONMENT = {
    "username": "ANYPOINT_USERNAME",
    "password": "ANYPOINT_PASSWORD",
    "client_id": "ANYPOINT_CLIENT_ID",
    "client_secret": "ANYPOINT_CLIENT_SECRET",
    "bearer": "ANYPOINT_BEARER",
    "organization": "ANYPOINT_ORG",
    "environment": "ANYPOINT_ENV",
    "host": "ANYPOINT_HOST",
    "region": "ANYPOINT_REGION",
    "mq_url": "ANYPOINT_MQ_URL",
    "auth": "ANYPOINT_AUTH",
    "lock_ttl_unit": "ANYPOINT_MQ_LOCK_TTL_UNIT",
    "read_only": "ANYPOINT_MQ_READ_ONLY",
    "production": "ANYPOINT_MQ_PRODUCTION",
    "journal": "ANYPOINT_MQ_JOURNAL",
}
"""Setting name -> environment variable. ``ANYPOINT_PROFILE`` names the profile itself."""


def places(setting: str) -> tuple[str, ...]:
    """Return every place where `setting` may be given, highest precedence first."""
    return (
        f"keyword connect({setting}=...)",
        f"environment variable {ENVIRONMENT[setting]}",
        f"key {setting!r} of a profile in {CREDENTIALS} or of the CLI's config.json",
    )
