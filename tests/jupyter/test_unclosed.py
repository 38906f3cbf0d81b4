"""A script that never closes its client, as most do, ends at once and says nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize("ending", ["", "client.close()", "del client"])
def test_an_unclosed_client_is_closed_in_silence(announced: dict[str, str], ending: str) -> None:
    code = (
        f"import courier_nb\nclient = courier_nb.connect(mq_url={announced['url']!r}, "
        f"client_id={announced['client_id']!r}, client_secret={announced['client_secret']!r})\n"
        f"print(len(client.destinations()))\n{ending}"
    )
    ended = subprocess.run([sys.executable, "-X", "dev", "-c", code], capture_output=True, text=True, timeout=30, check=False)
    # development mode also says which step of the event loop took long, which on a busy machine any may
    said = [line for line in ended.stderr.splitlines() if not line.startswith("Executing <")]
    assert (ended.returncode, ended.stdout.strip(), said) == (0, "2", [])
