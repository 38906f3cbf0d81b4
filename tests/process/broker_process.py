"""A broker as a process of its own on one file, started and ended again and again."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from .conftest import clean_env, command


class BrokerProcess:
    """Starts ``courier-nb broker`` on a file in a folder.

    Parameters
    ----------
    folder : Path
    config : str
        TOML.
    """

    def __init__(self, folder: Path, config: str) -> None:
        self.db = folder / "broker.sqlite"
        self._folder = folder
        self._log = folder / "broker.log"
        (folder / "broker.toml").write_text(config)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[tuple[subprocess.Popen[str], dict[str, str]]]:
        """Run the broker while the block runs; yield the process and the settings of a client."""
        with self._log.open("a") as log:
            process = subprocess.Popen(
                command("broker", "--db", self.db, "--config", self._folder / "broker.toml"),
                env=clean_env(self._folder),
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert process.stdout is not None
        try:
            line = await asyncio.to_thread(process.stdout.readline)
            assert line, self.log()
            yield process, json.loads(line)
        finally:
            process.kill()
            process.communicate()

    def log(self) -> str:
        """Return what it has written to stderr so far."""
        return self._log.read_text()
