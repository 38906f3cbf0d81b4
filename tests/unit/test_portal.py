"""The background loop, driven from this thread as a cell would."""

from __future__ import annotations

import _thread
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError

import anyio
import pytest

from courier_nb.core import portal

FORK = """
import os, threading
from courier_nb.core import portal
async def name(): return threading.current_thread().ident
first = portal.run(name)
child = os.fork()
if child == 0:
    assert portal.run(name) is not None
    os._exit(7)
_, status = os.waitpid(child, 0)
assert os.waitstatus_to_exitcode(status) == 7
assert portal.run(name) == first
print("done")
"""

EXIT = """
from courier_nb.core import portal
async def nothing(): pass
async def forever():
    import anyio
    await anyio.sleep_forever()
portal.run(nothing)
portal.start(forever)
print("done")
"""


async def double(value: int, *, plus: int = 0) -> int:
    await anyio.sleep(0)
    return 2 * value + plus


async def fail(error: BaseException) -> None:
    await anyio.sleep(0)
    raise error


async def thread() -> threading.Thread:
    return threading.current_thread()


def test_a_call_returns_what_the_coroutine_returns():
    assert portal.run(double, 3, plus=1) == 7


@pytest.mark.parametrize("error", [ValueError("odd"), KeyError("k"), ExceptionGroup("several", [OSError()])])
def test_an_error_arrives_as_it_is(error):
    with pytest.raises(type(error)) as caught:
        portal.run(fail, error)
    assert caught.value is error


def test_all_calls_share_one_thread_that_is_not_the_callers():
    assert portal.run(thread) is portal.run(thread)
    assert portal.run(thread) is not threading.current_thread()


@pytest.fixture
def heeding_interrupts() -> Iterator[None]:
    """A process that a shell started in the background ignores interrupts, and its children inherit that."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heeding_interrupts")
def test_an_interrupt_cancels_the_work_and_waits_for_its_clean_up():
    seen: list[str] = []

    async def work() -> None:
        try:
            _thread.interrupt_main()
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(0.02)
                seen.append("cleaned up")

    with pytest.raises(KeyboardInterrupt):
        portal.run(work)
    assert seen == ["cleaned up"]
    assert portal.run(double, 1) == 2


def test_a_job_that_was_stopped_before_it_began_does_nothing():
    seen: list[str] = []

    async def work() -> None:
        await anyio.sleep(0)
        seen.append("ran")

    job = portal.Job(work, (), {})
    assert not job.cancel_and_wait(grace=0.0)
    job.begin()
    assert job.wait(5)
    with pytest.raises(CancelledError):
        job.result()
    assert seen == []


def test_a_job_tells_whether_it_has_ended():
    release = threading.Event()

    async def work() -> int:
        while not release.is_set():
            await anyio.sleep(0.001)
        return 5

    job = portal.start(work)
    assert not job.wait(0.01)
    release.set()
    assert job.wait(5)
    assert job.result() == 5


def test_a_blocking_call_on_the_loop_itself_is_refused_not_waited_for():
    async def call_back() -> None:
        portal.run(double, 1)

    with pytest.raises(RuntimeError, match="would wait for itself: use the async classes"):
        portal.run(call_back)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_loop_whose_thread_ended_is_replaced():
    before = portal.run(thread)
    with pytest.raises(BaseException):  # noqa: B017  # whatever it is, it must not be a hang
        portal.run(fail, SystemExit(3))
    before.join(5)
    after = portal.run(thread)
    assert after.is_alive()
    assert portal.run(double, 4) == 8


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.parametrize(
    "script", [FORK, EXIT], ids=["a forked child gets its own loop", "running work does not keep a script alive"]
)
def test_in_a_process_of_its_own(script):
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=False)
    assert (done.stdout, done.returncode) == ("done\n", 0), done.stderr
