"""A process that has everything loaded and forks one child for each command, so that hundreds of them can be killed quickly.

Run as ``python -m tests.process.forking FOLDER``. Each line on standard input is a job: ``arguments`` of the command line,
``out`` (a file for what it prints), and ``kill_at``: None, or the number of the step at which the child kills itself. Steps come
before and after what a power cut could come before or after: a write, a flush, a rename, a removal, a request. Each job is
answered with two lines: the child's ``pid`` at once, then its ``status`` and, unless it was killed, how many ``steps`` it took.
"""

from __future__ import annotations

import functools
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HOOKED = ("write", "fsync", "fdatasync", "replace", "rename", "ftruncate", "unlink")


class Forker:
    """The side of the test: gives jobs to the process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def start(self, *arguments: object, out: Path, kill_at: int | None = None) -> int:
        """Begin a command and return its process id."""
        assert self._process.stdin is not None
        job = {"arguments": [*map(str, arguments)], "out": str(out), "kill_at": kill_at}
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        pid: int = self._answer()["pid"]
        return pid

    def wait(self) -> tuple[int, int]:
        """Return how the command ended (negative: killed), and its steps."""
        answer = self._answer()
        return answer["status"], answer["steps"]

    def run(self, *arguments: object, out: Path, kill_at: int | None = None) -> tuple[int, int]:
        """Run a command to its end."""
        self.start(*arguments, out=out, kill_at=kill_at)
        return self.wait()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the forking process has ended"
        return json.loads(line)


@contextmanager
def forker(env: dict[str, str], folder: Path) -> Iterator[Forker]:
    """Run the process while the block runs."""
    top = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-m", "tests.process.forking", str(folder)],
        env=env,
        cwd=top,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield Forker(process)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(30) == 0


def main() -> None:
    """Serve jobs until standard input ends."""
    import courier_nb.cli.main

    for name in (
        "courier_nb.client",
        "courier_nb.blocking.client",
        "courier_nb.storage.foreign.export",
        "pyarrow.compute",
        "tqdm.auto",
    ):
        __import__(name)
    folder = Path(sys.argv[1])
    for line in sys.stdin:
        job = json.loads(line)
        steps = folder / "steps.txt"
        steps.unlink(missing_ok=True)
        pid = os.fork()
        if pid == 0:
            _child(job, folder, steps, courier_nb.cli.main.main)
        print(json.dumps({"pid": pid}), flush=True)
        _, status = os.waitpid(pid, 0)
        taken = int(steps.read_text()) if steps.exists() else -1
        print(json.dumps({"status": os.waitstatus_to_exitcode(status), "steps": taken}), flush=True)


def _child(job: dict[str, Any], folder: Path, steps: Path, command: Callable[[list[str]], Any]) -> None:
    os.chdir(folder)
    out = os.open(job["out"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(out, 1)
    os.dup2(out, 2)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    code: Any = 1
    count = _hook(job["kill_at"])
    try:
        command(job["arguments"])
    except SystemExit as end:
        code = end.code
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        steps.write_text(str(count()))
        os._exit(code or 0)


def _hook(kill_at: int | None) -> Callable[[], int]:
    """Count the steps of this process, and end it where it is told to."""
    import httpx

    numbers, lock, last = itertools.count(), threading.Lock(), [0]

    def step() -> None:
        with lock:
            last[0] = next(numbers)
            if last[0] == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)

    def around(call: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(call)
        def hooked(*arguments: Any, **named: Any) -> Any:
            step()
            try:
                return call(*arguments, **named)
            finally:
                step()

        return hooked

    def around_async(call: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(call)
        async def hooked(*arguments: Any, **named: Any) -> Any:
            step()
            try:
                return await call(*arguments, **named)
            finally:
                step()

        return hooked

    for name in HOOKED:
        setattr(os, name, around(getattr(os, name)))
    httpx.AsyncClient.send = around_async(httpx.AsyncClient.send)  # type: ignore[method-assign]
    return lambda: last[0]


def outcomes_in(out: Path) -> dict[str, Any]:
    """Return the JSON document that a command printed."""
    lines: Sequence[str] = out.read_text().splitlines()
    document: dict[str, Any] = json.loads(next(line for line in lines if line.startswith("{")))
    return document


if __name__ == "__main__":
    main()
