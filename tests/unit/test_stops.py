from __future__ import annotations

from datetime import timedelta

import pytest

from courier_nb.core.errors import ConfigError, InvalidArgument
from courier_nb.flows.stops import Stop, calls_at_a_time, stop_after


def stop(limit: int | None = None, *, empties: int | None = None, idle: float | None = None, wall: float | None = None) -> Stop:
    return Stop(limit, empties, idle, wall, started=100.0)


@pytest.mark.parametrize(
    ("policy", "now", "reason"),
    [
        (stop(), 1e9, None),
        (stop(idle=5), 104.9, None),
        (stop(idle=5), 105, "no message for 5 s"),
        (stop(wall=5), 104.9, None),
        (stop(wall=5), 105, "time limit of 5 s reached"),
        (stop(limit=1, empties=1), 100, None),
        (stop(idle=5, wall=3), 104, "time limit of 3 s reached"),
    ],
)
def test_time_alone_ends_what_has_a_time_limit(policy, now, reason):
    assert policy.reason(now) == reason


@pytest.mark.parametrize("counts", [(10,), (4, 6), (3, 3, 3, 3)])
def test_the_limit_counts_messages(counts):
    policy = stop(10)
    for count in counts:
        assert policy.reason(100) is None
        policy.got(policy.take(10), count, 100)
    assert policy.reason(100) == "limit of 10 reached"


def test_empty_answers_count_in_a_row_only():
    policy = stop(empties=2)
    policy.came_up_empty()
    policy.got(policy.take(10), 1, 100)
    policy.came_up_empty()
    assert policy.reason(100) is None
    policy.came_up_empty()
    assert policy.reason(100) == "nothing visible in 2 polls in a row"


def test_a_message_starts_the_idle_time_anew_and_an_empty_answer_does_not():
    policy = stop(idle=5)
    policy.got(policy.take(10), 1, 104)
    policy.got(policy.take(10), 0, 108)
    assert policy.reason(108.9) is None
    assert policy.reason(109) == "no message for 5 s"


def test_a_reason_stays():
    policy = stop(empties=1)
    policy.came_up_empty()
    reason = policy.reason(100)
    policy.got(policy.take(10), 5, 100)
    assert policy.reason(100) == reason


@pytest.mark.parametrize(("limit", "shares"), [(25, [10, 10, 5, 0]), (10, [10, 0, 0, 0]), (3, [3, 0, 0, 0]), (None, [10] * 4)])
def test_calls_side_by_side_never_ask_for_more_than_the_limit(limit, shares):
    policy = stop(limit)
    assert [policy.take(10) for _ in range(4)] == shares


def test_what_a_call_did_not_get_can_be_asked_for_again():
    policy = stop(10)
    policy.got(policy.take(10), 3, 100)
    assert policy.take(10) == 7
    assert policy.take(10) == 0
    policy.got(7, 0, 100)
    assert policy.take(10) == 7


def test_a_server_that_gives_more_than_was_asked_for_is_survived():
    policy = stop(5)
    policy.got(policy.take(10), 12, 100)
    assert policy.take(10) == 0
    assert policy.reason(100) == "limit of 5 reached"


def test_the_policy_is_made_from_what_the_user_says():
    policy = stop_after(5, empties=3, idle="90s", timeout=timedelta(minutes=2))
    assert (policy.limit, policy.empties, policy.idle, policy.wall) == (5, 3, 90.0, 120.0)


@pytest.mark.parametrize("limit", [0, -1])
def test_a_number_below_one_is_refused(limit):
    with pytest.raises(InvalidArgument, match=f"is {limit}; at least 1"):
        stop_after(limit)
    with pytest.raises(InvalidArgument, match=f"is {limit}; at least 1"):
        calls_at_a_time(limit)


@pytest.mark.parametrize("name", ["idle", "timeout"])
def test_a_time_that_is_none_is_named(name):
    with pytest.raises(ConfigError, match=name):
        stop_after(**{name: "soon"})


@pytest.mark.parametrize(("wall", "now", "left"), [(None, 5.0, float("inf")), (10.0, 3.0, 7.0), (10.0, 30.0, 0.0)])
def test_how_long_is_left(wall, now, left):
    assert Stop(None, None, None, wall, started=0.0).seconds_left(now) == left


def test_what_is_given_back_may_be_asked_for_again():
    stop = Stop(10, None, None, None, started=0.0)
    assert (stop.take(10), stop.take(10)) == (10, 0)
    stop.give_back(10)
    assert stop.take(10) == 10
