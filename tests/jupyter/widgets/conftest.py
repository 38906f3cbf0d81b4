"""Node.js, for the parts of the front end that need no page."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parent / "js"


@pytest.fixture
def node() -> str:
    """The program, or a loud word that there is none."""
    found = shutil.which("node")
    if found is None:
        message = "no Node.js found: install it (Debian: apt-get install nodejs), 18 or newer"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(f"TESTS OF JAVASCRIPT NOT RUN: {message}")
    return found


@pytest.fixture
def run_js_tests(node: str, tmp_path: Path) -> Callable[[str, str], None]:
    """Run a file of tests in ``js/`` beside the module that it imports as ``./widget.mjs``; every test in it must have passed."""

    def run(script: str, tests: str) -> None:
        (tmp_path / "widget.mjs").write_text(script, encoding="utf-8")
        shutil.copy(SCRIPTS / tests, tmp_path)
        done = subprocess.run([node, "--test", tests], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        count = (SCRIPTS / tests).read_text(encoding="utf-8").count("\ntest(")
        assert count
        assert f"pass {count}\n" in done.stdout, done.stdout

    return run
