"""The Python that equals a click is Python that runs."""

from __future__ import annotations

import ast
import os
from pathlib import Path

import pytest

import courier_nb
from courier_nb.jupyter.script import Name, Script, call, connecting, variable


def test_a_call_leaves_out_what_is_not_given_and_breaks_long_lines() -> None:
    assert call("orders.drain", Name("folder"), limit=None, rate="5 msg/s") == "orders.drain(folder, rate='5 msg/s')"
    long = call("orders.drain", "x" * 60, polling_time="1s", lock_ttl="2m", confirm="orders")
    assert max(map(len, long.splitlines())) < 80
    assert ast.parse(long)


@pytest.mark.parametrize(
    ("destination", "name"),
    [("orders-dlq", "orders_dlq"), ("7up", "queue_7up"), ("Ünï", "n"), ("…", "queue"), ("client", "client_queue")],
)
def test_a_destination_gets_a_name_that_python_takes(destination: str, name: str) -> None:
    assert variable(destination) == name
    assert variable(destination, [name]) == f"{name}_2"
    assert name.isidentifier()


def test_the_way_to_connect_holds_no_secret(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    client = courier_nb.connect(client_id="an-id", client_secret="s3cret", region="us-east-1", mq_url="http://127.0.0.1:1/api/v1")
    code = connecting(client.settings)
    assert "s3cret" not in code
    monkeypatch.setenv("ANYPOINT_CLIENT_SECRET", "s3cret")
    again = eval(code, {"courier_nb": courier_nb, "os": os})
    assert again.settings.mq_url == client.settings.mq_url
    assert again.settings.client_secret == "s3cret"


def test_a_script_is_python_from_top_to_bottom() -> None:
    script = Script(connecting(courier_nb.connect("local").settings, is_embedded=True))
    assert script.add('orders = client.destination("orders")', "orders.peek(3)").count("\n") == 1
    tree = ast.parse(script.text)
    assert len(tree.body) == 5
    script.add("rows = pd.DataFrame()")
    assert "import pandas as pd\n\nimport courier_nb\n" in script.text
    assert "connect('local')" in script.text
