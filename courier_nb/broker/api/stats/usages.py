"""``GET`` of an environment or the organization: how much it was used, by hour, day or month."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta

from courier_nb.broker.api.ask import Ask
from courier_nb.broker.api.engine import Engine
from courier_nb.broker.api.stats.windows import Window, read_window
from courier_nb.broker.api.values import required
from courier_nb.broker.api.web import Response, json_response, one_word
from courier_nb.broker.state.history import of_use
from courier_nb.broker.state.meter import Use

_PERIODS = ("1hour", "1day", "1month")
_LONGEST_MONTH = timedelta(days=31)
_STEPS = {"1hour": timedelta(hours=1), "1day": timedelta(days=1)}


class Usages:
    """Tells the use of environments."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def get(self, ask: Ask) -> Response:
        """Show the use in each whole period that has a part in the time asked for, if there was any."""
        query = ask.request.query()
        window = read_window(query)
        required(query, "period")
        period = one_word(query, "period", _PERIODS)
        now = int(self._engine.clock.time() * 1_000)
        window = Window(max(window.start, 0), min(window.end, now + 1))
        if window.start >= window.end:
            return Response(204)
        first, after = _begin(window.start, period), _next(_begin(window.end - 1, period), period)
        numbers = [environment.pk for environment in ask.environments]
        hours = await self._engine.committer.submit(lambda store: of_use(store, numbers, _ms(first), _ms(after)))
        use: dict[datetime, Use] = defaultdict(Use)
        for hour, part in hours:
            begin = _begin(hour, period)
            use[begin] = use[begin].plus(part)
        return json_response([_entry(begin, part) for begin, part in use.items()]) if use else Response(204)


def _begin(moment: int, period: str) -> datetime:
    """Return when the period began in which a moment (milliseconds since the epoch) is."""
    hour = datetime.fromtimestamp(moment // 1_000, UTC).replace(minute=0, second=0)
    if period == "1hour":
        return hour
    return hour.replace(hour=0) if period == "1day" else hour.replace(hour=0, day=1)


def _next(begin: datetime, period: str) -> datetime:
    return begin + _STEPS[period] if period in _STEPS else (begin + _LONGEST_MONTH).replace(day=1)


def _ms(moment: datetime) -> int:
    return int(moment.timestamp()) * 1_000


def _entry(begin: datetime, use: Use) -> dict[str, str | int]:
    return {
        "timestamp": begin.strftime("%Y-%m-%dT%H:%MZ"),
        "apiRequestCount": use.requests,
        "messageReceiptCount": use.receipts,
        "billableUnitCount": use.units,
        "messageByteCount": use.bytes,
    }
