"""``broker``: the local broker as a server of its own."""

from __future__ import annotations

import contextlib
import json
import sys
from dataclasses import replace
from pathlib import Path

import click

from courier_nb.cli.options import json_option
from courier_nb.cli.output import json_is_wanted
from courier_nb.core.checks import is_loopback


@click.command(short_help="Serve a local broker.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port; default: a free one.")
@click.option("--db", type=click.Path(path_type=Path), help="SQLite file that holds the messages; default: memory.")
@click.option(
    "--config", "config_file", type=click.Path(path_type=Path), help="TOML file with queues, exchanges, clients, faults."
)
@click.option("--allow-host", multiple=True, help="A further name that clients may reach it by, such as a container's.")
@json_option
def broker(host: str, port: int, db: Path | None, config_file: Path | None, allow_host: tuple[str, ...]) -> None:
    """Serve a local broker that speaks the Courier Messaging API until SIGINT or SIGTERM.

    In a terminal it says how to connect and shows its queues, live. Elsewhere, or with --json, the first line on standard output
    is one JSON object: url, platform_url, client_id, client_secret, organization, environment, region; what goes on is written
    to standard error, one line at most every ten seconds.
    """
    from courier_nb.broker import BrokerConfig, QueueConfig, load_config, serve
    from courier_nb.cli.broker_status import live_table, plain_lines

    if config_file is not None:
        config = load_config(config_file)
    else:
        orders = QueueConfig("orders", dead_letter_queue="orders-dlq", max_deliveries=3)
        config = BrokerConfig(queues=(orders, QueueConfig("orders-dlq")))
    config = replace(config, allowed_hosts=config.allowed_hosts + allow_host)
    if not is_loopback(host):
        click.echo(
            f"courier-nb: listening on {host}, beyond this machine: whoever reaches it and knows the secret may use it.", err=True
        )
    for_people = sys.stdout.isatty() and not json_is_wanted()
    with (
        contextlib.suppress(KeyboardInterrupt),  # SIGINT is the ordinary end; the server has shut down in order by then
        live_table() if for_people else plain_lines() as show,
    ):
        serve(config, host=host, port=port, db=db, announce=_explain if for_people else _print_json, watch=show)


def _print_json(settings: dict[str, str]) -> None:
    click.echo(json.dumps(settings))


def _explain(settings: dict[str, str]) -> None:
    names = {"url": "ANYPOINT_MQ_URL", "client_id": "ANYPOINT_CLIENT_ID", "client_secret": "ANYPOINT_CLIENT_SECRET"}
    click.echo("A local broker is running. In another terminal:\n")
    for key, name in names.items():
        click.echo(f"  export {name}={settings[key]}")
    click.echo("  courier-nb destinations\n\nCtrl-C ends it.")
