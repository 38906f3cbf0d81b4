from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from courier_nb.core.errors import ConfigError
from courier_nb.core.units import human_bytes, milliseconds, seconds


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("500ms", 500),
        ("90s", 90_000),
        ("2m", 120_000),
        ("2min", 120_000),
        ("1h30m", 5_400_000),
        ("1h 30m 5s", 5_405_000),
        ("7d", 604_800_000),
        (" 1.5 s ", 1_500),
        ("0s", 0),
        ("30", 30_000),
        (30, 30_000),
        (0.25, 250),
        (timedelta(minutes=1, milliseconds=3), 60_003),
    ],
)
def test_a_duration_becomes_whole_milliseconds(value, expected):
    assert milliseconds(value) == expected
    assert seconds(value) == expected / 1_000


@pytest.mark.parametrize("value", [30, "30", 30.0])
def test_a_plain_number_is_milliseconds_where_the_caller_says_so(value):
    assert milliseconds(value, bare="ms") == 30


def test_text_with_a_unit_keeps_its_unit_whatever_a_plain_number_means():
    assert milliseconds("30s", bare="ms") == 30_000


@pytest.mark.parametrize(
    "value",
    ["", " ", "soon", "5 parsecs", "1h oops", "-5s", "s5", -1, -0.001, True, None, float("nan"), float("inf"), 10**400,
     "1e400", timedelta(seconds=-1), Decimal(3), b"5s"],
)  # fmt: skip
def test_what_is_no_duration_is_refused_by_the_name_of_its_setting(value):
    with pytest.raises(ConfigError, match=r"lock_ttl is .* not a duration: write for example") as caught:
        milliseconds(value, name="lock_ttl")
    assert caught.value.setting == "lock_ttl"


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1_000, "1.0 kB"),
        (1_449_000, "1.4 MB"),
        (3.2e9, "3.2 GB"),
        (5e12, "5.0 TB"),
        (9e15, "9000.0 TB"),
    ],
)
def test_sizes_are_written_as_people_write_them(size, text):
    assert human_bytes(size) == text
