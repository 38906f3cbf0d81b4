"""Calls whose answer is looked at, whatever its status."""

from __future__ import annotations

import email.utils
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import anyio
import httpx

from courier_nb.core import exactjson
from courier_nb.core.errors import Unreachable
from courier_nb.wire.answers import clean
from courier_nb.wire.place import Place
from courier_nb.wire.retry import RETRY_AFTER_MAX_SECONDS, Operation
from courier_nb.wire.sender import SENT_AT
from courier_nb.wire.session import Session

_TRIES_WHEN_THROTTLED = 3
_WAIT_WHEN_THROTTLED_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back from one call.

    Attributes
    ----------
    label : str
        What was called, in a word or two.
    status : int or None
        None when no answer came.
    said : str
        The service's own words, shortened and without lock ids.
    value : object
        The JSON of the answer; None when there is none.
    seconds : float
        From sending to the answer.
    """

    label: str
    status: int | None
    said: str = ""
    value: Any = field(default=None, repr=False)
    seconds: float = 0.0

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def entries(self) -> list[dict[str, Any]]:
        """The objects of the answer: those of its array, or the one that it is."""
        values = self.value if isinstance(self.value, list) else [self.value]
        return [value for value in values if isinstance(value, dict)]

    @property
    def is_done(self) -> bool:
        """Whether the call succeeded, and every item of it too."""
        return self.is_success and all(str(entry.get("status", "")).lower() != "failure" for entry in self.entries)

    def __str__(self) -> str:
        status = "no answer" if self.status is None else str(self.status)
        return f"{self.label} {status}" + (f" {self.said!r}" if self.said else "")


@dataclass(frozen=True, slots=True)
class ClockReading:
    """How far a server's clock is from this machine's, as one answer showed it.

    Attributes
    ----------
    ahead : float
        Seconds by which the server is ahead.
    within : float
        It is true within so many seconds: half the round trip, and half a second for the resolution of the ``Date`` header.
    """

    ahead: float
    within: float


class Caller:
    """Makes the calls of the doctor, with the client's own token.

    Parameters
    ----------
    session : Session
    place : Place
        Broker, organization and environment.

    Attributes
    ----------
    clocks : dict of str to ClockReading
        Host -> the closest look at its clock.
    """

    def __init__(self, session: Session, place: Place) -> None:
        self.place = place
        self.clocks: dict[str, ClockReading] = {}
        self._session = session

    @property
    def platform_url(self) -> str:
        """Base URL of accounts, Admin and Stats."""
        return self._session.settings.platform_url

    async def kind(self) -> str:
        """Return the kind of credential that the token stands for."""
        return (await self._session.tokens.current()).kind

    async def region(self) -> str:
        """Return the region that Admin and Stats are asked about."""
        return await self._session.region()

    async def broker(
        self,
        label: str,
        method: str,
        destination: str,
        path: str,
        content: Any = None,
        *,
        params: Mapping[str, str] | None = None,
        poll_seconds: float = 0.0,
        environment: str | None = None,
        anonymous: bool = False,
    ) -> Answer:
        """Call the broker about a destination; ``environment`` takes the place of the client's own."""
        place = self.place if environment is None else Place(self.place.broker_url, self.place.organization, environment)
        return await self.ask(
            label,
            method,
            f"{place.destination_url(destination)}/{path}",
            content=content,
            params=params,
            poll_seconds=poll_seconds,
            anonymous=anonymous,
        )

    async def admin(self, label: str, path: str, **params: str) -> Answer:
        """Read from the Admin API."""
        return await self.ask(label, "GET", f"{self.platform_url}/mq/admin/api/v1{self._of_environment}{path}", params=params)

    async def stats(self, label: str, path: str, **params: str) -> Answer:
        """Read from the Stats API, whose calls are free."""
        return await self.ask(label, "GET", f"{self.platform_url}/mq/stats/api/v1{self._of_environment}{path}", params=params)

    async def ask(
        self,
        label: str,
        method: str,
        url: str,
        *,
        content: Any = None,
        params: Mapping[str, str] | None = None,
        poll_seconds: float = 0.0,
        anonymous: bool = False,
    ) -> Answer:
        """Make a call; it is repeated only when the service says that there were too many (429).

        Raises
        ------
        Refused, Unreachable, BadAnswer
            When no token can be had; everything else is an answer.
        """
        for tries_left in reversed(range(_TRIES_WHEN_THROTTLED)):
            try:
                response = await self._session.sender.ask(
                    Operation.LOOK_UP,
                    method,
                    url,
                    where=label,
                    token=None if anonymous else await self._session.tokens.current(),
                    content=None if content is None else exactjson.dumps(content),
                    params=dict(params) if params else None,
                    poll_seconds=poll_seconds,
                )
            except Unreachable as error:
                return Answer(label, None, str(error))
            if response.status_code != httpx.codes.TOO_MANY_REQUESTS or not tries_left:
                break
            await anyio.sleep(_wait_seconds(response))
        seconds = time.monotonic() - float(response.extensions[SENT_AT])
        self._look_at_clock(response, seconds)
        return _answer(label, response, seconds)

    @property
    def _of_environment(self) -> str:
        organization, environment = quote(self.place.organization, safe=""), quote(self.place.environment, safe="")
        return f"/organizations/{organization}/environments/{environment}"

    def _look_at_clock(self, response: httpx.Response, round_trip: float) -> None:
        if "Age" in response.headers:
            return  # from a cache: its date is an old one
        try:
            date = email.utils.parsedate_to_datetime(response.headers["Date"]).timestamp()
        except (KeyError, ValueError):
            return
        reading = ClockReading(date + 0.5 - (time.time() - round_trip / 2), 0.5 + round_trip / 2)
        host = response.request.url.host
        if host not in self.clocks or reading.within < self.clocks[host].within:
            self.clocks[host] = reading


def _answer(label: str, response: httpx.Response, seconds: float) -> Answer:
    value = None
    text = ""
    if response.content:
        try:
            value = exactjson.loads(response.content)
            text = _words(value)
        except ValueError:
            # Only a refusal is quoted as it is: a success may hold what is not ours to show.
            text = "" if response.is_success else clean(response.content[:300].decode("utf-8", "replace"))
    return Answer(label, response.status_code, text, value, seconds)


def _words(value: Any) -> str:
    """Return the status messages of an answer, each once; nothing of messages, queues or clients."""
    entries: Sequence[Any] = value if isinstance(value, list) else [value]
    words = [
        str(text)
        for entry in entries
        if isinstance(entry, dict) and "body" not in entry
        for key in ("statusMessage", "message", "error_description", "error")
        if isinstance(text := entry.get(key), str) and text
    ]
    return clean(" / ".join(dict.fromkeys(clean(word) for word in words)))


def _wait_seconds(response: httpx.Response) -> float:
    text = response.headers.get("Retry-After", "")
    return min(float(text), RETRY_AFTER_MAX_SECONDS) if text.isdecimal() else _WAIT_WHEN_THROTTLED_SECONDS
