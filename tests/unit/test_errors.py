from __future__ import annotations

import inspect

import pytest

from courier_nb.core import errors
from courier_nb.core.errors import ConfigError, CourierError, FrameError, InvalidArgument, Throttled, Unavailable, Unreachable

CLASSES = [cls for _, cls in inspect.getmembers(errors, inspect.isclass) if cls.__module__ == errors.__name__]


@pytest.mark.parametrize("cls", CLASSES)
def test_every_error_is_in_the_tree_and_in_the_picture_of_it(cls):
    assert issubclass(cls, CourierError)
    assert cls.__name__ in (errors.__doc__ or "")


def test_a_missing_setting_names_every_place():
    error = ConfigError("x is missing.", setting="x", places=["keyword connect(x=...)", "environment variable X"])
    assert str(error) == "x is missing. Give it as: keyword connect(x=...); environment variable X."
    assert error.places == ("keyword connect(x=...)", "environment variable X")


@pytest.mark.parametrize("cls", [InvalidArgument, FrameError])
def test_a_wrong_argument_is_a_value_error_too(cls):
    assert issubclass(cls, ValueError)


@pytest.mark.parametrize(
    ("error", "is_unknown"),
    [
        (Unreachable("", operation="receive", sent=True), True),
        (Unreachable("", operation="receive", sent=False), False),
        (Unavailable("", status=503, operation="receive"), True),
        (Unavailable("", status=503, operation="receive", retry_after=0.0), False),
        (Throttled("", status=429, operation="receive"), False),
    ],
)
def test_only_what_may_have_been_done_is_unknown(error, is_unknown):
    assert error.outcome_unknown is is_unknown
