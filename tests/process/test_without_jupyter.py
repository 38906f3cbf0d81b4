"""Where nothing of Jupyter is installed the client works alone, and what needs it says what to install."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

BLOCK = """
import sys

class Missing:
    names = {names!r}
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in self.names:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name.split(".")[0])

sys.meta_path.insert(0, Missing())
"""

CLIENT_ALONE = """
import courier_nb
with courier_nb.connect("local") as client:
    client.broker.create_queue("orders")
    orders = client.destination("orders")
    orders.publish([courier_nb.Message('{"order": {"total": 120}}', {}, {})])
    received = orders.receive(1, polling_time="20ms")
    frame = received.frame()
    assert len(frame.courier.where("$.order.total > 100")) == 1
    print(received, client, orders.drain("c", polling_time="20ms", empties=1))
    received._repr_html_()
    for wish in (client.browse, lambda: courier_nb.jupyter.MessageBrowser(frame), lambda: courier_nb.plots.age(frame)):
        try:
            wish()
        except ImportError as error:
            print(error)
"""

JUPYTER = ["IPython", "ipykernel", "ipywidgets", "anywidget", "traitlets", "jupyterlab", "matplotlib", "jupyter_client"]


def run(code: str, where: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], cwd=where, capture_output=True, text=True, check=False, timeout=60)


def test_the_client_works_alone_and_the_rest_says_what_to_install(tmp_path: Path) -> None:
    done = run(BLOCK.format(names=JUPYTER) + CLIENT_ALONE, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count('pip install "courier-nb[lab]"') == 3
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("missing", ["anywidget", "ipywidgets"])
def test_a_widget_without_its_library_is_one_clear_line(tmp_path: Path, missing: str) -> None:
    code = 'import courier_nb\nclient = courier_nb.connect("local")\nclient.browse()'
    done = run(BLOCK.format(names=[missing]) + code, tmp_path)
    assert done.returncode != 0
    assert (
        done.stderr.strip().splitlines()[-1].endswith(f'Widgets need {missing}: install it with pip install "courier-nb[lab]".')
    )
