"""Schemathesis, with the vendor's OpenAPI file, against the broker on a socket.

It is run as a user runs it, from the command line, with `tests.thirdparty.hooks`. The same seed makes the same run, but for the
stateful phase, which goes on with ids that the broker makes up. ``COURIER_NB_EXAMPLES`` (per operation and phase) and
``COURIER_NB_SEED`` make longer and other runs.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from .conftest import TOP
from .deviations import ALLOWANCES

EXAMPLES = int(os.environ.get("COURIER_NB_EXAMPLES", "30"))
SEED = int(os.environ.get("COURIER_NB_SEED", "1"))

pytestmark = pytest.mark.timeout(120 + 10 * EXAMPLES)


@dataclass
class Run:
    """What a run of Schemathesis has brought."""

    output: str
    report: dict[str, Any]
    tally: list[dict[str, Any]]

    @property
    def failures(self) -> set[str]:
        return {failure["type"] for failure in self.report["failures"]}

    def statuses(self) -> dict[str, Counter[int]]:
        """Return how often each operation was answered with each status."""
        found: dict[str, Counter[int]] = {}
        for line in self.tally:
            if "status" in line and line["operation"].startswith(line["method"]):
                found.setdefault(line["operation"], Counter())[line["status"]] += 1
        return found


def run(specification: Path, settings: dict[str, str], folder: Path, *options: str, **environ: str) -> Run:
    credentials = ", ".join(f'{name} = "{settings[name]}"' for name in ("client_id", "client_secret"))
    config = f"""
base-url = "{settings["url"]}"
seed = {SEED}
continue-on-failure = true
suppress-health-check = ["filter_too_much"]
[generation]
max-examples = {EXAMPLES}
database = "none"
no-shrink = true
[cache]
enabled = false
[phases]
examples.extra-data-sources.responses = false
coverage.extra-data-sources.responses = false
fuzzing.extra-data-sources.responses = false
[warnings]
fail-on = ["missing_auth", "missing_test_data", "low_valid_rate", "unused_openapi_auth", "method_not_allowed"]
low_valid_rate = {{threshold = 0.3}}
[output.sanitization]
enabled = false
[auth.dynamic.openapi.bearerAuth]
path = "/authorize"
payload = {{{credentials}, grant_type = "client_credentials"}}
payload_content_type = "application/x-www-form-urlencoded"
extract_selector = "/access_token"
"""
    (folder / "schemathesis.toml").write_text(config)
    report, tally = folder / "report.json", folder / "tally.jsonl"
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", "schemathesis.toml", "run", str(specification)]
    command += ["--report", "json", "--report-json-path", str(report), *options]
    paths = os.pathsep.join(filter(None, [str(TOP), os.environ.get("PYTHONPATH")]))
    env = {
        **os.environ,
        "SCHEMATHESIS_HOOKS": "tests.thirdparty.hooks",
        "PYTHONPATH": paths,
        "BROKER_SETTINGS": json.dumps(settings),
        "TALLY": str(tally),
        **environ,
    }
    ended = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    output = ended.stdout + ended.stderr
    assert report.exists(), output
    found = json.loads(report.read_text())
    assert found["exit_code"] == ended.returncode, output
    return Run(output, found, [json.loads(line) for line in tally.read_text().splitlines()])


@pytest.fixture(scope="module")
def full_run(specification: Path, settings: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run(specification, settings, tmp_path_factory.mktemp("schemathesis"))


def test_the_broker_keeps_to_the_vendors_description(full_run: Run) -> None:
    print(full_run.output[-2_000:])
    assert full_run.report["exit_code"] == 0, full_run.output
    assert (full_run.report["failures"], full_run.report["errors"]) == ([], [])
    assert full_run.report["operations"]["tested"] == 10
    assert {phase: result["status"] for phase, result in full_run.report["phases"].items()} == dict.fromkeys(
        ("examples", "coverage", "fuzzing", "stateful"), "success"
    )


def test_every_operation_often_succeeds_and_every_documented_status_is_seen(full_run: Run) -> None:
    seen = full_run.statuses()
    assert len(seen) == 10
    for operation, statuses in seen.items():
        done = sum(count for status, count in statuses.items() if status in (200, 201, 204))
        assert done >= max(10, statuses.total() // 5), (operation, statuses)
    assert {200, 201, 204, 400, 401, 403, 404} <= set().union(*seen.values())


def test_every_allowed_refusal_is_met(full_run: Run) -> None:
    used = {line["allowance"] for line in full_run.tally if "allowance" in line}
    assert used >= {allowance.what for allowance in ALLOWANCES if allowance.failure == "RejectedPositiveData"}


def test_without_the_list_of_deviations_schemathesis_finds_them(
    specification: Path, settings: dict[str, str], tmp_path: Path
) -> None:
    bare = run(specification, settings, tmp_path, "--phases", "coverage", WITHOUT_DEVIATIONS="yes")
    assert bare.report["exit_code"] == 1
    assert {"JsonSchemaError", "RejectedPositiveData", "AcceptedNegativeData", "UndefinedContentType"} <= bare.failures
