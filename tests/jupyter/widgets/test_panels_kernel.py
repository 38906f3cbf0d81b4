"""Panels in a real kernel: their work goes on while a cell keeps the kernel busy, and outlives an interrupt."""

from __future__ import annotations

from courier_nb import Client, Message

from ..conftest import Kernel

PANEL = """
from courier_nb.jupyter import DrainPanel
panel = DrainPanel(client, destination='orders')
panel.set(rate='50 msg/s', empties='1')

def send(**message):
    panel._handle_custom_msg({'turn': panel.turn, **message}, [])

def wait(*stages):
    import time
    end = time.monotonic() + 30
    while panel.stage not in stages or panel.busy and panel.stage != 'running':
        assert time.monotonic() < end, (panel.stage, panel.error)
        time.sleep(0.02)

send(do='act', action='drain')
wait('armed')
send(do='confirm', name=None)
"""


def begin(kernel: Kernel, client: Client, connecting: str, count: int) -> None:
    client.destination("orders").publish([Message(str(n)) for n in range(count)], progress=False)
    cell = kernel.run(connecting + PANEL)
    assert cell.status == "ok", cell.error


def test_progress_goes_on_while_a_cell_is_busy(kernel: Kernel, client: Client, connecting: str) -> None:
    begin(kernel, client, connecting, 150)
    cell = kernel.run(
        "import time\n"
        "before = panel.progress['done']\n"
        "end = time.monotonic() + 20\n"
        "while panel.progress['done'] <= before and time.monotonic() < end:\n"
        "    sum(range(10_000))\n"
        "print(panel.progress['done'] > before, panel.stage)"
    )
    assert cell.text.split() == ["True", "running"]
    cell = kernel.run("wait('done'); print(panel.report['ok'], len(panel.result))")
    assert cell.text.split() == ["True", "150"]


def test_an_interrupt_of_a_cell_leaves_the_work_and_its_truth(kernel: Kernel, client: Client, connecting: str) -> None:
    begin(kernel, client, connecting, 150)
    sleeping = kernel.start("print('asleep', flush=True)\nimport time\ntime.sleep(30)")
    kernel.wait_for_text(sleeping, "asleep")
    kernel.interrupt()
    assert kernel.finish(sleeping).error == "KeyboardInterrupt"
    cell = kernel.run("wait('done'); print(panel.stage, len(panel.result), panel.error)")
    assert cell.text.split() == ["done", "150"]
    assert client.depth("orders").messages == 0  # type: ignore[union-attr]
