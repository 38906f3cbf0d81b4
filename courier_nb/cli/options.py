"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import click

from courier_nb.cli.host import current_host
from courier_nb.cli.output import want_json
from courier_nb.core.errors import ConfigError, InvalidArgument
from courier_nb.core.rates import as_rate
from courier_nb.core.units import milliseconds

F = TypeVar("F", bound=Callable[..., Any])


class DurationType(click.ParamType[str]):
    """A duration such as ``90s`` or ``5m``."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            milliseconds(value, name=param.name or "duration" if param else "duration")
        except ConfigError as error:
            self.fail(str(error), param, ctx)
        return str(value)


class RateType(click.ParamType[str]):
    """A rate such as ``100 msg/s``."""

    name = "rate"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            as_rate(value)
        except InvalidArgument as error:
            self.fail(str(error), param, ctx)
        return str(value)


DURATION = DurationType()

rate_option = click.option(
    "--rate", type=RateType(), help="How fast to go: '100 msg/s', '5 calls/s', '2 MB/s, ramp-up 30s'. Default: no limit."
)


def json_option(command: F) -> F:
    """Add ``--json``."""
    return click.option(
        "--json",
        is_flag=True,
        expose_value=False,
        is_eager=True,
        callback=lambda ctx, param, value: want_json(value),
        help="Print one JSON document instead of text.",
    )(command)


def connected(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the connection options and ``--json``; the command is given a connected `Client` first."""

    @wraps(command)
    def with_client(
        profile: str | None,
        url: str | None,
        host: str | None,
        organization: str | None,
        environment: str | None,
        region: str | None,
        read_only: bool,
        journal: str | None,
        **arguments: Any,
    ) -> Any:
        keywords = {"mq_url": url, "host": host, "organization": organization, "environment": environment, "region": region}
        keywords.update(journal=journal, read_only="true" if read_only else None)
        with current_host().connect(profile, keywords) as client:
            return command(client, **arguments)

    options = [
        click.option("--profile", metavar="NAME", help="Profile in ~/.anypoint/credentials (ANYPOINT_PROFILE)."),
        click.option("--url", metavar="URL", help="Broker URL (ANYPOINT_MQ_URL)."),
        click.option("--host", metavar="HOST", help="Platform host (ANYPOINT_HOST)."),
        click.option("--org", "organization", metavar="ID|NAME", help="Organization (ANYPOINT_ORG)."),
        click.option("--env", "environment", metavar="ID|NAME", help="Environment (ANYPOINT_ENV)."),
        click.option("--region", metavar="REGION", help="Region, for example us-east-1 (ANYPOINT_REGION)."),
        click.option("--read-only", is_flag=True, help="Refuse what adds or deletes messages (ANYPOINT_MQ_READ_ONLY)."),
        click.option("--journal", metavar="DIR|off", help="Where every call is recorded (ANYPOINT_MQ_JOURNAL)."),
    ]
    for option in reversed(options):
        with_client = option(with_client)
    return json_option(with_client)
