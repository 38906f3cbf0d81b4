"""``broker``: the local broker as a server of its own."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import click

from courier_nb.cli.options import json_option
from courier_nb.core.settings import is_loopback


@click.command(short_help="Serve a local broker.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port; default: a free one.")
@click.option("--db", type=click.Path(path_type=Path), help="SQLite file that holds the messages; default: memory.")
@click.option("--config", "config_file", type=click.Path(path_type=Path), help="TOML file with queues and client.")
@json_option
def broker(host: str, port: int, db: Path | None, config_file: Path | None) -> None:
    """Serve a local broker that speaks the Courier Messaging API until SIGINT or SIGTERM.

    The first line printed is one JSON object: url, platform_url, client_id, client_secret, organization, environment, region.
    """
    from courier_nb.broker import BrokerConfig, QueueConfig, load_config, serve

    if config_file is not None:
        config = load_config(config_file)
    else:
        orders = QueueConfig("orders", dead_letter_queue="orders-dlq", max_deliveries=3)
        config = BrokerConfig(queues=(orders, QueueConfig("orders-dlq")))
    if not is_loopback(host):
        click.echo(
            f"courier-nb: listening on {host}, beyond this machine: whoever reaches it and knows the secret may use it.", err=True
        )
    with contextlib.suppress(KeyboardInterrupt):  # SIGINT is the ordinary end; the server has shut down in order by then
        serve(config, host=host, port=port, db=db, announce=lambda settings: click.echo(json.dumps(settings)))
