"""What Schemathesis's command line loads: the deviations, the steering, one check of ours, and a tally of what was done."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import schemathesis

from tests.thirdparty import deviations
from tests.thirdparty.steering import Steering

_steering = Steering(json.loads(os.environ["BROKER_SETTINGS"]))
_with_deviations = "WITHOUT_DEVIATIONS" not in os.environ


def _note(**what: Any) -> None:
    with Path(os.environ["TALLY"]).open("a") as tally:
        tally.write(json.dumps(what) + "\n")


@schemathesis.hook
def before_load_schema(context: schemathesis.HookContext, raw_schema: dict[str, Any]) -> None:
    if _with_deviations:
        deviations.amend(raw_schema)


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: schemathesis.Case[Any], kwargs: dict[str, Any]) -> None:
    _steering.steer(case)


@schemathesis.hook
def after_call(context: schemathesis.HookContext, case: schemathesis.Case[Any], response: schemathesis.Response) -> None:
    _note(operation=case.operation.label, method=case.method, status=response.status_code)


@schemathesis.hook
def filter_failure(
    context: schemathesis.HookContext, failure: Any, case: schemathesis.Case[Any], response: schemathesis.Response
) -> bool:
    kind = type(failure).__name__
    if not _with_deviations or (kind == "RejectedPositiveData" and _steering.holds_lock):
        return True
    allowance = deviations.allowance(kind, failure.operation or "", response.status_code, response.text)
    if allowance is not None:
        _note(allowance=allowance.what)
    return allowance is None


@schemathesis.check
def what_exists_is_found(context: Any, response: schemathesis.Response, case: schemathesis.Case[Any]) -> None:
    """Refuse 403 and 404 for ids that the broker itself has announced."""
    if response.status_code in (403, 404) and _steering.knows(case):
        raise AssertionError(f"{response.status_code} for a destination that exists")
