"""A process that imports the package once and forks a drain for each line it is given; a drain may be made to die at a step.

A step is whatever the capture protocol does outside its own memory: every call that changes the disk, what is read back from the
spool, every request, and every answer. Each is announced before it is done, so the announcements are also a trace of the order.

Run as ``python -m tests.process.stepping``; jobs and results are JSON, one a line.
"""

from __future__ import annotations

import asyncio
import json
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from courier_nb import Capture
from courier_nb.client import AsyncClient
from courier_nb.core.errors import CourierError
from courier_nb.core.progress import Counter
from courier_nb.core.settings import resolve
from courier_nb.flows.drain import drain
from courier_nb.flows.receive import Ask
from courier_nb.flows.stops import stop_after
from courier_nb.storage.compaction import FileSizes
from courier_nb.wire.transport import PooledTransport

WRITE = os.write


class Steps:
    """Announces every step, and kills the process at one of them.

    Parameters
    ----------
    announce : int
        Open descriptor.
    folder : Path
        The capture; a file elsewhere belongs to the journal.
    die_at : int
        Number of the step before which to die; 0 for none.
    halfway : bool
        Die when a half of what the step was to write is written.
    """

    def __init__(self, announce: int, folder: Path, die_at: int, halfway: bool) -> None:
        self._announce = announce
        self._folder = folder
        self._die_at = die_at
        self._halfway = halfway
        self._count = 0
        self._stepping = threading.Lock()

    def step(self, name: str, half: Callable[[], object] | None = None) -> None:
        """Announce a step, and die if it is the one to die at."""
        with self._stepping:
            self._count += 1
            WRITE(self._announce, f"{name}\n".encode())
            if self._count == self._die_at:
                if self._halfway and half is not None:
                    half()
                os.kill(os.getpid(), signal.SIGKILL)
                time.sleep(60)

    def watch_the_disk(self) -> None:
        """Put an announcement before each call that changes the disk."""
        for name in ("fsync", "fdatasync", "ftruncate"):
            self._watch(name, self._opened_at)
        for name in ("unlink", "rmdir"):
            self._watch(name, lambda path, *_: self._what(path) if Path(path).exists() else "")
        self._watch("mkdir", lambda path, *_: "" if Path(path).exists() else self._what(path))
        for name in ("replace", "rename"):
            self._watch(name, lambda source, target: f"{self._what(source)} to {self._what(target)}")
        self._watch("read", lambda descriptor, _: what if (what := self._opened_at(descriptor)) == "spool" else "")
        open_file, write = os.open, os.write

        def announced_open(path: Any, flags: int, *more: Any, **named: Any) -> int:
            if flags & os.O_CREAT and (what := self._what(path)):
                self.step(f"{'open' if Path(path).exists() else 'create'} {what}")
            return open_file(path, flags, *more, **named)

        def announced_write(descriptor: int, content: Any) -> int:
            if what := self._opened_at(descriptor):
                self.step(f"write {what}", lambda: write(descriptor, memoryview(content)[: len(content) // 2]))
            return write(descriptor, content)

        os.open, os.write = announced_open, announced_write

    def _watch(self, name: str, describe: Callable[..., str]) -> None:
        call = getattr(os, name)

        def announced(*arguments: Any, **named: Any) -> Any:
            if what := describe(*arguments[:2]):
                self.step(f"{name} {what}")
            return call(*arguments, **named)

        setattr(os, name, announced)

    def _opened_at(self, descriptor: int, *_: object) -> str:
        return self._what(Path(f"/proc/self/fd/{descriptor}").readlink())

    def _what(self, path: Any, *_: object) -> str:
        """Return what a file is; empty for what is no file of a capture or of the journal."""
        path = Path(os.fsdecode(path))
        if not path.is_relative_to(self._folder):
            return "journal" if path.suffix == ".jsonl" else ""
        parts = path.relative_to(self._folder).parts
        if path.suffix == ".lock":
            return "lock"
        if not parts or path.suffix == "":
            return "folder" if not parts else f"folder {parts[-1]}"
        if len(parts) == 1:
            return "part"
        return parts[1] if len(parts) == 3 else path.stem  # spool, aside, damaged; manifest, capture


class Watched(httpx.AsyncBaseTransport):
    """Announces requests and answers."""

    def __init__(self, steps: Steps) -> None:
        self._steps = steps
        self._inner = PooledTransport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        name = f"{request.method} {request.url.path.rsplit('/', 1)[-1]}"
        self._steps.step(name)
        response = await self._inner.handle_async_request(request)
        self._steps.step(f"answered {name}")
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()


async def drained(job: dict[str, Any], steps: Steps) -> None:
    """Drain as a user's call does, with files and locks of the size that the job wants."""
    async with AsyncClient(resolve(), transport=Watched(steps)) as client:
        connection = client.destination(job["queue"])._connection
        async with connection.run("drain", job["queue"]):
            await drain(
                await connection.operations(),
                Ask(job["queue"], polling_ms=job["polling_ms"], lock_ms=job["lock_ms"]),
                stop_after(empties=2),
                Path(job["folder"]),
                concurrency=job["concurrency"],
                counter=Counter("drain"),
                sizes=FileSizes(**job["sizes"]),
            )


def in_child(job: dict[str, Any], announce: int) -> int:
    """Do a job and return the exit code."""
    steps = Steps(announce, Path(job["folder"]), job.get("die_at", 0), job.get("halfway", False))
    steps.watch_the_disk()
    try:
        if "queue" in job:
            asyncio.run(drained(job, steps))
        else:
            Capture(job["folder"]).compact()
    except CourierError as error:
        print(type(error).__name__, error, file=sys.stderr)
        return 1
    return 0


def forked(job: dict[str, Any]) -> dict[str, Any]:
    """Run a job in a child: a drain or, without a queue, the opening of a capture and its compaction.

    With ``seconds`` it is killed from outside so long after it began to write its spool. Returns how it ended (exit code, or
    minus the signal), which steps it took, and how long after the beginning of the spool it ended.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        code = 70
        try:
            os.close(reading)
            code = in_child(job, writing)
        finally:
            os._exit(code)
    os.close(writing)
    seen = b""
    begun = kill_at = None
    while True:
        wait = None if kill_at is None else max(0.0, kill_at - time.monotonic())
        if not select.select([reading], [], [], wait)[0]:
            os.kill(child, signal.SIGKILL)
            kill_at = None
            continue
        piece = os.read(reading, 65_536)
        if not piece:
            break
        seen += piece
        if begun is None and b"create spool" in seen:
            begun = time.monotonic()
            kill_at = begun + job["seconds"] if "seconds" in job else None
    os.close(reading)
    _, status = os.waitpid(child, 0)
    seconds = 0.0 if begun is None else time.monotonic() - begun
    return {"code": os.waitstatus_to_exitcode(status), "steps": seen.decode().splitlines(), "seconds": seconds}


def main() -> None:
    """Do jobs until there are no more."""
    for line in sys.stdin:
        print(json.dumps(forked(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
