"""The disk fills up, turns read-only or vanishes during a drain: nothing is acknowledged that is not on it."""

from __future__ import annotations

import ctypes
import os
import resource
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from courier_nb import Capture, Client, Message
from courier_nb.broker import LocalBroker

from .conftest import RunningClock

COUNT = 120
BODY_BYTES = 20_000
DISK_BYTES = 1_000_000
_READ_ONLY = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of a megabyte."""
    place = tmp_path / "disk"
    place.mkdir()
    if _LIBC.mount(b"tmpfs", bytes(place), b"tmpfs", 0, f"size={DISK_BYTES}".encode()) != 0:
        pytest.skip("NOT RUN: no file system can be mounted here; test_a_limit_on_the_size_of_files stands in for it")
    yield place
    _LIBC.umount2(bytes(place), 2)


@pytest.fixture
def queue(broker: LocalBroker, direct: Client) -> str:
    broker.create_queue("disk", max_deliveries=1000)
    broker.purge("disk")
    messages = [Message(os.urandom(BODY_BYTES // 2).hex(), {}, {"messageId": f"m-{i}"}) for i in range(COUNT)]
    assert direct.destination("disk").publish(messages, progress=False).ok
    return "disk"


Draining = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def drain_command(served: tuple[LocalBroker, dict[str, str]], tmp_path: Path) -> Draining:
    """Run ``courier-nb drain`` as a process of its own."""

    def run(folder: Path, **options: object) -> subprocess.CompletedProcess[str]:
        settings = served[1]
        env = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("ANYPOINT_", "XDG_"))},
            "HOME": str(tmp_path / "home"),
            "ANYPOINT_MQ_URL": settings["url"],
            "ANYPOINT_CLIENT_ID": settings["client_id"],
            "ANYPOINT_CLIENT_SECRET": settings["client_secret"],
        }
        (tmp_path / "home").mkdir(exist_ok=True)
        command = [sys.executable, "-m", "courier_nb", "drain", "disk", "--to", folder, "--polling-time", "20ms", "--json"]
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, **options)  # type: ignore[call-overload]

    return run


def check(broker: LocalBroker, folder: Path, name: str, *, is_whole: bool = False) -> None:
    """Hold disk and queue against what was published."""
    on_disk: set[str] = set()
    if (folder / "capture.json").exists() or any(folder.glob("*")):
        capture = Capture(folder)
        assert capture.verify().ok
        on_disk = set(capture.frame(["message_id"])["message_id"])
    in_queue = {message.id for message in broker.messages("disk", limit=10_000)}
    in_flight = sum(message.in_flight for message in broker.messages("disk", limit=10_000))
    published = {f"m-{i}" for i in range(COUNT)}
    print(
        f"\n{name}: {COUNT} published, {len(on_disk)} on disk, {len(in_queue)} in the queue, "
        f"{len(published - on_disk - in_queue)} lost, {in_flight} still locked at exit"
    )
    assert on_disk | in_queue == published
    if is_whole:
        assert on_disk == published
        assert not in_queue


def copy_elsewhere(folder: Path, tmp_path: Path) -> Path:
    """A full disk cannot take what finishing needs, so what is on it is looked at elsewhere."""
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    return copy


def test_a_full_disk_ends_the_run_and_loses_nothing(
    broker: LocalBroker, queue: str, small_disk: Path, drain_command: Draining, tmp_path: Path, clock: RunningClock
) -> None:
    result = drain_command(small_disk / "capture")
    assert result.returncode == 2, result.stderr
    assert "No space left" in result.stderr
    assert "Traceback" not in result.stderr
    copy = copy_elsewhere(small_disk / "capture", tmp_path)
    check(broker, copy, "disk full")
    clock.advance(400)
    again = drain_command(copy)
    assert again.returncode == 0, again.stderr
    check(broker, copy, "disk full, then room again", is_whole=True)


def test_a_limit_on_the_size_of_files_ends_the_run_and_loses_nothing(
    broker: LocalBroker, queue: str, drain_command: Draining, tmp_path: Path, clock: RunningClock
) -> None:
    """The same where nothing can be mounted: a file that may not grow is a disk that is full."""
    folder = tmp_path / "capture"
    limited = drain_command(
        folder, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (DISK_BYTES, DISK_BYTES))
    )  # fmt: skip
    assert limited.returncode == 2, limited.stderr
    assert "Traceback" not in limited.stderr
    check(broker, folder, "file size limit")
    clock.advance(400)
    again = drain_command(folder)
    assert again.returncode == 0, again.stderr
    check(broker, folder, "file size limit, then none", is_whole=True)


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """A folder that nobody may write to, root neither."""
    place = tmp_path / "read-only"
    place.mkdir(mode=0o555)
    if os.getuid() == 0 and _LIBC.mount(b"tmpfs", bytes(place), b"tmpfs", _READ_ONLY, b"size=4096") != 0:
        pytest.skip("NOT RUN: root may write anywhere, and no file system can be mounted here")
    yield place
    if os.getuid() == 0:
        _LIBC.umount2(bytes(place), 2)


def test_a_folder_that_is_read_only_is_refused_before_anything_is_received(
    broker: LocalBroker, queue: str, drain_command: Draining, read_only: Path
) -> None:
    result = drain_command(read_only / "capture")
    assert result.returncode == 2, result.stderr
    assert "Traceback" not in result.stderr
    assert "ead-only" in result.stderr or "denied" in result.stderr
    assert all(message.delivery_count == 0 for message in broker.messages(queue, limit=10_000))
    check(broker, read_only, "read-only folder")


def test_a_folder_that_vanishes_during_the_run_ends_it_and_nothing_more_is_acknowledged(
    broker: LocalBroker, queue: str, direct: Client, tmp_path: Path, clock: RunningClock
) -> None:
    """What had been acknowledged before is gone with the folder: whoever removes a capture removes its messages."""
    folder, moved = tmp_path / "capture", tmp_path / "moved"
    direct.destination("disk").drain(folder, limit=40, polling_time="20ms", progress=False)
    with pytest.raises(Exception, match=r"capture") as caught:
        _drain_and_move(direct, folder, moved)
    clock.advance(400)
    check(broker, moved, f"folder vanished ({type(caught.value).__name__})")


def _drain_and_move(client: Client, folder: Path, moved: Path) -> None:
    """Drain, and move the folder away as soon as the first answer is in it."""
    done = threading.Event()

    def move() -> None:
        sizes = {path: path.stat().st_size for path in folder.rglob("*.spool")}
        while not done.wait(0.001):
            found = [path for path in folder.rglob("*.spool") if path.stat().st_size > sizes.get(path, 0) + BODY_BYTES]
            if found:
                folder.rename(moved)
                return

    mover = threading.Thread(target=move)
    mover.start()
    try:
        client.destination("disk").drain(folder, polling_time="20ms", concurrency=1, rate="200 msg/s", progress=False)
    finally:
        done.set()
        mover.join()
