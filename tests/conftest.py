"""What holds for every test."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """The same for what no fixture reaches: the kernels of notebooks."""
    folder = tempfile.TemporaryDirectory(prefix="courier_nb-tests-")
    config.add_cleanup(folder.cleanup)
    os.environ.update(XDG_STATE_HOME=f"{folder.name}/state", XDG_DATA_HOME=f"{folder.name}/data")


@pytest.fixture(autouse=True)
def state_of_its_own(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Keep journals, ledgers and captures out of the home folder of whoever runs the tests."""
    folder = tmp_path_factory.mktemp("state")
    monkeypatch.setenv("XDG_STATE_HOME", str(folder / "state"))
    monkeypatch.setenv("XDG_DATA_HOME", str(folder / "data"))
    yield folder
