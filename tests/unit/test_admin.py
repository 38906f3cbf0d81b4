"""Reading Admin and Stats, whose answers come in more shapes than one."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from courier_nb.client import DestinationList
from courier_nb.core.errors import BadAnswer, Forbidden
from courier_nb.wire.admin import Admin, DestinationInfo, Region
from courier_nb.wire.sender import Sender
from courier_nb.wire.stats import Depth, Stats
from tests.unit.scripts import Script, reply

pytestmark = pytest.mark.anyio


class Fixed:
    """One token for ever."""

    value = "t"

    async def current(self) -> Fixed:
        return self

    async def renew(self, stale: Any) -> Fixed:
        return self


@pytest.fixture
def admin(sender: Sender) -> Admin:
    return Admin(sender, Fixed(), "https://platform.test", "o/o", "e")


@pytest.fixture
def stats(sender: Sender) -> Stats:
    return Stats(sender, Fixed(), "https://platform.test", "o", "e")


def paging(size: int, cap: int | None) -> Any:
    """Answer page by page, with no more than `cap` entries whatever was asked for."""

    def answer(request: httpx.Request) -> httpx.Response:
        offset, limit = int(request.url.params["offset"]), int(request.url.params["limit"])
        page = range(size)[offset:][: min(limit, cap or limit)]
        return reply(200, [{"queueId": f"q{number}"} for number in page]) if page else reply(204)

    return answer


@pytest.mark.parametrize("cap", [20, 50, 100, None])
@pytest.mark.parametrize("size", [0, 1, 19, 20, 21, 40, 100, 205])
async def test_every_page_is_read_whatever_the_server_caps_it_at(script, admin, size, cap):
    script.always(paging(size, cap))
    found = await admin.destinations("eu")
    assert [info.id for info in found] == [f"q{number}" for number in range(size)]


async def test_a_server_that_ignores_the_offset_does_not_keep_us_for_ever(script, admin):
    script.always(reply(200, [{"queueId": f"q{number}"} for number in range(20)]))
    assert len(await admin.destinations("eu")) == 20
    assert len(script.requests) == 2


async def test_the_question_has_the_documented_form(script, admin):
    script.will(reply(204))
    await admin.destinations("eu/1")
    (request,) = script.requests
    assert request.url.raw_path.startswith(b"/mq/admin/api/v1/organizations/o%2Fo/environments/e/regions/eu%2F1/destinations?")
    assert dict(request.url.params) == {"destinationType": "all", "offset": "0", "limit": "100", "inclusion": "all"}


@pytest.mark.parametrize(
    ("entity", "expected"),
    [
        ({"queueId": "q"}, {"kind": "queue"}),
        ({"queueId": "q", "fifo": True}, {"kind": "fifo-queue"}),
        ({"exchangeId": "x", "encrypted": True}, {"kind": "exchange", "id": "x"}),
        ({"queueId": "q", "deadLetterQueueId": "d", "maxDeliveries": "5"}, {"dead_letter_queue": "d", "max_deliveries": 5}),
        ({"queueId": "q", "deadLetterQueueId": ""}, {"dead_letter_queue": None}),
        ({"queueId": "d", "deadLetterSources": ["q", "r"]}, {"dead_letter_sources": ("q", "r")}),
        ({"queueId": "d", "deadLetterSources": "q"}, {"dead_letter_sources": ()}),
        ({"queueId": "q", "defaultTtl": 5, "defaultLockTtl": 6}, {"default_ttl_ms": 5, "default_lock_ttl_ms": 6}),
        ({"queueId": "q_fb", "isFallback": True}, {"is_fallback": True}),
    ],
)
async def test_a_destination_is_read_with_what_is_there(script, admin, entity, expected):
    script.will(reply(200, [entity, {"odd": 1}, "odd", None, {"queueId": 5}]))
    (info,) = await admin.destinations("eu")
    assert {name: getattr(info, name) for name in expected} == expected
    assert info.raw == entity


async def test_regions_come_in_both_documented_shapes(script, admin):
    script.will(reply(200, [{"regionId": "a", "serviceUrl": "https://a.test"}, {"id": "b", "name": "B"}, {"name": "none"}, 5]))
    assert await admin.regions() == [Region("a", "https://a.test"), Region("b", None)]


@pytest.mark.parametrize(("answer", "error"), [(reply(200, {"a": 1}), BadAnswer), (reply(403, {"message": "no"}), Forbidden)])
async def test_an_answer_that_is_no_list_is_an_error(script, admin, answer, error):
    script.always(answer)
    with pytest.raises(error):
        await admin.regions()


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ([{"destination": "a", "messages": 3, "inflightMessages": 2}], {"a": Depth(3, 2)}),
        ({"destination": "a", "messages": 3}, {"a": Depth(3, 0)}),
        ([{"destination": "a", "message": "Destination not found"}, {"destination": "b", "messages": "7"}], {"b": Depth(7, 0)}),
        ([{"messages": 1}, None, "odd", {"destination": 5, "messages": 1}], {}),
        (None, {}),
    ],
)
async def test_depths_are_read_from_both_documented_shapes(script, stats, answer, found):
    script.will(reply(200, answer))
    assert await stats.depths("eu", ["a", "b"]) == found
    assert script.requests[0].url.params["destinationIds"] == "a,b"


async def test_no_more_than_twenty_depths_are_asked_for_at_once(script, stats):
    script.always(reply(204))
    assert await stats.depths("eu", [f"q{number}" for number in range(45)]) == {}
    assert [len(request.url.params["destinationIds"].split(",")) for request in script.requests] == [20, 20, 5]


async def test_no_depths_need_no_call(script: Script, stats):
    assert await stats.depths("eu", []) == {}
    assert script.requests == []


def test_a_list_of_destinations_is_a_sequence_and_a_frame():
    infos = [DestinationInfo("q", "queue", dead_letter_queue="d", max_deliveries=5), DestinationInfo("x", "exchange")]
    found = DestinationList(infos, {"q": Depth(3, 2)})
    frame = found.frame()
    assert (len(found), found[0], list(found[1:])) == (2, infos[0], infos[1:])
    assert frame.loc[0].tolist() == ["q", "queue", 3, 2, "d", 5, frame.loc[0, "dead_letter_sources"]]
    assert frame.loc[1, ["messages", "dead_letter_queue", "max_deliveries"]].isna().all()
    assert {str(frame[name].dtype) for name in ("messages", "in_flight", "max_deliveries")} == {"Int64"}
    assert {str(frame[name].dtype) for name in ("destination", "kind", "dead_letter_queue")} == {"str"}
