"""200 secrets through normal use and every kind of failure, and then looked for wherever something was written or shown."""

from __future__ import annotations

import base64
import io
import json
import os
import secrets as random_secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import nbformat
import psutil
import pyarrow.parquet as pq
import pytest
from nbclient import NotebookClient
from nbconvert import HTMLExporter

HERE = Path(__file__).parent
TOP = HERE.parents[1]
PLANTED = {"client_secret": 20, "bearer": 20, "password": 20, "body": 70}
LOCKS = 75

SHOW = "def show():\n    get_ipython().showtraceback()\n"
CELLS = [
    "%xmode Verbose\n"
    "import asyncio, copy, logging, pickle, signal, sys, threading\n"
    "logging.basicConfig(level=logging.DEBUG, stream=sys.stdout, force=True)\n"
    "asyncio.get_running_loop().set_debug(True)\n"
    "import courier_nb, planted\n"
    "from planted import broker, failing, vault\n" + SHOW,
    # normal use
    "client, async_client = planted.clients()\n"
    "queue, async_queue = client.destination('queue'), async_client.destination('queue')\n"
    "queue.publish([courier_nb.Message(vault.take('body', n), {'n': n}) for n in range(vault.count('body'))], progress=True)",
    "received = queue.receive(70, lock_ttl='10m', progress=True)\n"
    "vault.add('lock', [message.lock_id for message in received.messages])\n"
    "display(client, client.settings, async_client, queue, received, received.messages, received.outcomes)\n"
    "display(received.messages[0].headers)\n"
    "received.frame().drop(columns='body')",
    "received.frame()['lock_id']",
    "print(received.messages[0], repr(received.messages[0].lock_id), vars(client), client.settings.sources)",
    # failures of every kind, on both faces
    "first = received.messages[0]\n"
    "for failure in (400, 401, 403, 500, 'garbage', 'reset', 'no token'):\n"
    "    failing.failure = failure\n"
    "    for call in (\n"
    "        lambda: queue.ack(received.messages[:12]), lambda: queue.nack(received.messages[:12]),\n"
    "        lambda: queue.extend(received.messages[:12], '5m'), lambda: queue.ack_one(first.message_id, first.lock_id),\n"
    "        lambda: queue.nack_one(first.message_id, first.lock_id),\n"
    "        lambda: queue.extend_one(first.message_id, first.lock_id, '5m'),\n"
    "        lambda: queue.publish_one(first), lambda: queue.publish_batch(received.messages[:3]), lambda: queue.peek(1),\n"
    "        lambda: queue.publish(received.messages[:3]),\n"
    "    ):\n"
    "        try: display(call())\n"
    "        except courier_nb.CourierError: show()\n"
    "failing.failure = None",
    "for failure in (400, 401, 403, 500, 'garbage', 'reset'):\n"
    "    failing.failure = failure\n"
    "    for call in (\n"
    "        lambda: async_queue.ack_one(first.message_id, first.lock_id), lambda: async_queue.ack(received.messages[:3]),\n"
    "        lambda: async_queue.nack_one(first.message_id, first.lock_id), \n"
    "        lambda: async_queue.publish_batch(received.messages[:3]),\n"
    "        lambda: async_queue.extend_batch(received.messages[:3], '5m'),\n"
    "    ):\n"
    "        try: display(await call())\n"
    "        except courier_nb.CourierError: show()\n"
    "        except TypeError: show()\n"
    "failing.failure = None",
    # wrong credentials, over a socket
    "asyncio.get_running_loop().set_debug(False)\n"
    "serving = broker.serving()\n"
    "url = serving.__enter__()['url']\n"
    "for kind in ('client_secret', 'bearer', 'password'):\n"
    "    for number in range(20):\n"
    "        try: planted.wrong(kind, number, url).destination('queue').peek(1)\n"
    "        except courier_nb.CourierError: show()",
    "for kind in ('client_secret', 'bearer', 'password'):\n"
    "    for number in range(3):\n"
    "        try: planted.wrong(kind, number, 'http://not-loopback.invalid')\n"
    "        except courier_nb.CourierError: show()",
    # interrupts
    "timer = threading.Timer(1.5, lambda: signal.raise_signal(signal.SIGINT))\n"
    "timer.start()\n"
    "try: queue.drain('drained', timeout='20s', empties=None, polling_time='200ms', progress=True)\n"
    "except KeyboardInterrupt: show()",
    # copies
    "for thing in (client, client.settings, queue, first, first.lock_id, received, async_client):\n"
    "    try: pickle.dumps(thing)\n"
    "    except Exception: show()\n"
    "print(copy.copy(client.settings), copy.copy(first), copy.deepcopy(dict(first.headers)))",
    # and what is written to disk
    "print(queue.nack(received.messages, progress=True).counts)\n"
    "capture = queue.drain('capture', progress=True, polling_time='50ms')\n"
    "vault.add('lock', [])\n"
    "print(capture, capture.verify())\n"
    "more = client.destination('other')\n"
    "more.publish([courier_nb.Message('plain')] * 5, progress=False)\n"
    "last = more.receive(5)\n"
    "vault.add('lock', [message.lock_id for message in last.messages])\n"
    "print(more.ack(last.frame()))\n"
    "capture.export('export.jsonl', where='delivery_count < 0')",
    "1 / 0",
]  # fmt: skip


def forms(secret: str) -> list[bytes]:
    """The ways in which a secret could have been written, its beginning included."""
    written = {secret, quote(secret, safe=""), json.dumps(secret)[1:-1], base64.b64encode(secret.encode()).decode()}
    return [form.encode() for form in written] + [secret[:24].encode()]


class Places:
    """Everything that was written, and the secrets found in it."""

    def __init__(self, planted: dict[str, list[str]]) -> None:
        self._forms = [(kind, form) for kind, found in planted.items() for secret in found for form in forms(secret)]
        self.looked_at: list[str] = []
        self.found: list[str] = []

    def look(self, name: str, content: bytes, *, but: tuple[str, ...] = ()) -> None:
        self.looked_at.append(name)
        for kind, form in self._forms:
            if kind not in but and form in content:
                at = content.index(form)
                self.found.append(f"{kind} in {name}: {content[max(0, at - 700) : at + 60]!r}")


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    root = tmp_path / "root"
    root.mkdir()
    shutil.copy(HERE / "planted.py", root)
    yield root


def test_no_secret_is_written_or_shown_anywhere(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vault = tmp_path / "vault.json"
    vault.write_text(json.dumps({kind: [random_secrets.token_hex(24) for _ in range(n)] for kind, n in PLANTED.items()}))
    for name in ("HOME", "XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "state" / name))
    monkeypatch.setenv("PLANTED", str(vault))
    monkeypatch.setenv("PYTHONPATH", f"{TOP}{os.pathsep}{root}")

    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in CELLS])
    client = NotebookClient(
        notebook, timeout=200, resources={"metadata": {"path": str(root)}}, allow_errors=True, store_widget_state=True
    )
    client.execute()
    errors = [output for cell in notebook.cells for output in cell.outputs if output.output_type == "error"]
    strange = [error.evalue for error in errors if error.ename in ("NameError", "AttributeError", "SyntaxError", "ImportError")]
    assert strange == []
    assert errors[-1].evalue == "division by zero"  # the last cell was reached

    planted: dict[str, list[str]] = json.loads(vault.read_text())
    everything = sorted({secret for found in planted.values() for secret in found})
    places = Places(planted)
    saved = nbformat.writes(notebook)
    assert "Traceback" in saved
    assert saved.count("Unauthorized") > 60
    places.look("the saved notebook", saved.encode())
    widgets = json.dumps(notebook.metadata.get("widgets", {}))
    assert "FloatProgressModel" in widgets
    places.look("the state of its widgets", widgets.encode())
    for number, cell in enumerate(notebook.cells):
        for output in cell.outputs:
            places.look(f"an output of cell {number}", json.dumps(output).encode())
    html, _ = HTMLExporter().from_notebook_node(notebook)
    places.look("its HTML", html.encode())
    for path in sorted([*root.rglob("*"), *(tmp_path / "state").rglob("*")]):
        if path.is_file() and path.name != "planted.py":
            is_capture = "capture" in path.parts or "drained" in path.parts
            places.look(str(path.relative_to(tmp_path)), path.read_bytes(), but=("body",) if is_capture else ())
            if path.suffix == ".parquet":
                table = pq.read_table(path)
                places.look(f"the values in {path.name}", repr(table.to_pylist()).encode(), but=("body",))
                places.look(f"the metadata of {path.name}", repr(pq.read_metadata(path).metadata).encode())

    for name, arguments, content in command_lines(planted, root):
        places.look(f"{name} of {arguments}", content)

    print(f"{len(everything)} secrets, {len(places.looked_at)} places, {len(places.found)} found")
    assert len(planted["lock"]) >= LOCKS
    assert len(everything) >= 200
    assert not places.found, "\n".join(places.found)


def command_lines(planted: dict[str, list[str]], root: Path) -> Iterator[tuple[str, str, bytes]]:
    """Run commands with secrets that are not accepted; yield what they print, and what `ps` shows of them."""
    code = (
        "import sys\n"
        "from courier_nb.broker import LocalBroker\n"
        "with LocalBroker(queues=['queue']) as broker, broker.serving() as settings:\n"
        "    print(settings['url'], flush=True)\n"
        "    sys.stdin.read()\n"
    )
    server = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    url = server.stdout.readline().strip()
    kinds = [
        {"ANYPOINT_CLIENT_ID": "an-id", "ANYPOINT_CLIENT_SECRET": planted["client_secret"][0]},
        {"ANYPOINT_BEARER": planted["bearer"][0]},
        {"ANYPOINT_USERNAME": "a-user", "ANYPOINT_PASSWORD": planted["password"][0]},
    ]
    for credentials in kinds:
        for arguments in (["peek", "queue"], ["drain", "queue", "--to", "x", "--json"]):
            env = {**os.environ, "ANYPOINT_MQ_URL": url, **credentials}
            with (root / "out.txt").open("w+b") as out:
                process = psutil.Popen(
                    [sys.executable, "-m", "courier_nb", *arguments], env=env, cwd=root, stdout=out, stderr=out
                )
                command = repr(process.cmdline())
                assert process.wait(60) != 0
                out.seek(0, io.SEEK_SET)
                yield "the output", " ".join(arguments), out.read()
                yield "the process list", " ".join(arguments), command.encode()
    server.communicate("")
