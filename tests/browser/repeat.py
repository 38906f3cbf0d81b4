"""Run the browser tests again and again, to find those that pass only sometimes: ``python -m tests.browser.repeat 20``."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TOP = Path(__file__).parents[2]


def repeat(times: int, arguments: list[str]) -> int:
    """Run the suite `times` times; print how long each took, and what failed. Return how many runs failed."""
    seconds: list[float] = []
    failed = 0
    for number in range(1, times + 1):
        begun = time.monotonic()
        command = [sys.executable, "-m", "pytest", "-q", "-rf", "tests/browser", *arguments]
        run = subprocess.run(command, cwd=TOP, capture_output=True, text=True)
        seconds.append(time.monotonic() - begun)
        words = run.stdout.strip().splitlines() or [run.stderr.strip()[-500:]]
        print(f"run {number} of {times}: {seconds[-1]:.1f} s: {words[-1]}", flush=True)
        if run.returncode:
            failed += 1
            print("\n".join(line for line in words if line.startswith(("FAILED", "ERROR"))))
            with tempfile.NamedTemporaryFile("w", prefix="browser-run-", suffix=".log", delete=False) as log:
                log.write(run.stdout + run.stderr)
            print(f"all of it: {log.name}", flush=True)
    print(f"{times - failed} of {times} passed; {statistics.median(seconds):.1f} s (median), at most {max(seconds):.1f} s")
    return failed


if __name__ == "__main__":
    raise SystemExit(min(1, repeat(int(sys.argv[1]) if len(sys.argv) > 1 else 20, sys.argv[2:])))
