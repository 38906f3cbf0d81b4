"""One call: token, request, answer; a repeat where `retry` allows it, and a refreshed token after a 401."""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import anyio
import httpx
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt, wait_random_exponential

from courier_nb.core.errors import BadAnswer, Closed, CourierError, LockLost, Throttled, Unauthorized, Unavailable, Unreachable
from courier_nb.core.rates import Pacer
from courier_nb.wire import retry
from courier_nb.wire.answers import clock_ahead, refusal
from courier_nb.wire.budget import Claim
from courier_nb.wire.limits import Limits
from courier_nb.wire.pressure import Pressure
from courier_nb.wire.reading import ANSWER_BYTES, SLOWEST_BYTES_PER_SECOND, TooMuchAnswer, Undecodable, read_answer
from courier_nb.wire.retry import Operation
from courier_nb.wire.transport import LONG_POLL_MARGIN_SECONDS, READ_SECONDS, NeverSent

AFTER_UNKNOWN = "courier_nb.after_unknown"
SENT_AT = "courier_nb.sent_at"

_backoff = wait_random_exponential(multiplier=retry.WAIT_INITIAL_SECONDS, max=retry.WAIT_MAX_SECONDS)


class Bearer(Protocol):
    """A token, told apart from others by identity."""

    @property
    def value(self) -> str: ...


class Tokens(Protocol):
    """Where a call gets its bearer token."""

    async def current(self) -> Bearer: ...

    async def renew(self, stale: Any) -> Bearer: ...


class Sender:
    """Sends requests for all parts of the wire.

    Attributes
    ----------
    calls : int
        Requests made; the vendor bills each call to the broker.
    retries : int
        How many of them were repeats.
    pressure : Pressure
        How much the service was found to take.
    clock_ahead : float
        By how many seconds the service's clock is ahead of this machine's, by its last answer; 0 where it does not say.
    """

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self.pressure = Pressure()
        self.clock_ahead = 0.0
        self.calls = 0
        self.retries = 0

    async def call(
        self,
        operation: Operation,
        method: str,
        url: str,
        *,
        where: str,
        tokens: Tokens | None,
        content: bytes | None = None,
        params: dict[str, str] | None = None,
        form: dict[str, str] | None = None,
        poll_seconds: float = 0.0,
        repeat_unknown: bool | None = None,
        give_up_at: float | None = None,
        answer_bytes: int = ANSWER_BYTES,
        claim: Claim | None = None,
        pacer: Pacer | None = None,
    ) -> httpx.Response:
        """Make a call and return its successful answer.

        Parameters
        ----------
        operation : Operation
            Decides what may be repeated.
        where : str
            What the call is about, for error messages.
        tokens : Tokens or None
            None sends no Authorization header.
        content, params, form : optional
            JSON body, query, or form fields.
        repeat_unknown : bool, optional
            See `retry.may_repeat`.
        poll_seconds, give_up_at, answer_bytes, claim : optional
            See `Limits`; nothing is repeated after `give_up_at`.
        pacer : Pacer, optional
            Told of repeats, which are calls too.

        Raises
        ------
        Unreachable, Refused, BadAnswer
        """
        limits = Limits(poll_seconds, give_up_at, answer_bytes, claim)
        headers = {"Content-Type": "application/json"} if content is not None else None

        async def once() -> httpx.Response:
            request = self._http.build_request(
                method, url, content=content, params=params, data=form, headers=headers, timeout=_timeout(poll_seconds)
            )
            return await self._send_with_token(operation, request, where, tokens, limits)

        return await self._repeating(operation, once, repeat_unknown, give_up_at, pacer)

    async def _repeating(
        self,
        operation: Operation,
        once: Callable[[], Awaitable[httpx.Response]],
        repeat_unknown: bool | None,
        give_up_at: float | None,
        pacer: Pacer | None,
    ) -> httpx.Response:
        def may_repeat(error: BaseException) -> bool:
            return isinstance(error, CourierError) and retry.may_repeat(operation, error, repeat_unknown=repeat_unknown)

        def stop(state: RetryCallState) -> bool:
            late = give_up_at is not None and time.monotonic() + state.upcoming_sleep >= give_up_at
            return late or stop_after_attempt(retry.ATTEMPTS)(state)

        had_unknown = False
        async for attempt in AsyncRetrying(
            retry=retry_if_exception(may_repeat), stop=stop, wait=_wait, sleep=anyio.sleep, reraise=True
        ):
            with attempt:
                if attempt.retry_state.attempt_number > 1:
                    self.retries += 1
                    if pacer is not None:
                        pacer.charge(calls=1)
                try:
                    response = await once()
                except CourierError as error:
                    error.after_unknown = had_unknown
                    had_unknown = had_unknown or retry.failure_point(error) is retry.FailurePoint.UNKNOWN
                    raise
        response.extensions[AFTER_UNKNOWN] = had_unknown
        return response

    async def _send_with_token(
        self, operation: Operation, request: httpx.Request, where: str, tokens: Tokens | None, limits: Limits
    ) -> httpx.Response:
        if tokens is None:
            return await self._send(operation, request, where, limits)
        with _token_errors():
            token = await tokens.current()
        request.headers["Authorization"] = f"Bearer {token.value}"
        try:
            return await self._send(operation, request, where, limits)
        except Unauthorized:
            pass  # what goes wrong from here on is no consequence of it, and would show its frames
        with _token_errors():
            token = await tokens.renew(token)
        request.headers["Authorization"] = f"Bearer {token.value}"
        return await self._send(operation, request, where, limits)

    async def ask(
        self,
        operation: Operation,
        method: str,
        url: str,
        *,
        where: str,
        token: Bearer | None,
        content: bytes | None = None,
        params: dict[str, str] | None = None,
        poll_seconds: float = 0.0,
    ) -> httpx.Response:
        """Make a call once and return its answer whatever its status; nothing is repeated and no token is renewed.

        For finding out how the service answers. Parameters as in `call`; without a token, no Authorization header is sent.

        Raises
        ------
        Unreachable
        """
        headers = {"Content-Type": "application/json"} if content is not None else {}
        if token is not None:
            headers["Authorization"] = f"Bearer {token.value}"
        request = self._http.build_request(
            method, url, content=content, params=params, headers=headers, timeout=_timeout(poll_seconds)
        )
        return await self._exchange(operation, request, where, Limits(poll_seconds))

    async def _send(self, operation: Operation, request: httpx.Request, where: str, limits: Limits) -> httpx.Response:
        response = await self._exchange(operation, request, where, limits)
        if response.is_success:
            self.pressure.went_well(operation)
            return response
        refused = refusal(operation, response, where)
        if isinstance(refused, Throttled) or (isinstance(refused, Unavailable) and refused.status == 503):
            self.pressure.too_much(response.extensions[SENT_AT], retry.retry_after(refused))
        raise refused

    async def _exchange(self, operation: Operation, request: httpx.Request, where: str, limits: Limits) -> httpx.Response:
        came = time.monotonic()
        async with self.pressure.slot(operation):
            if self._http.is_closed:
                raise Closed("This client is closed: open a new one with connect().")
            sent_at = time.monotonic()
            if limits.give_up_at is not None and came < limits.give_up_at <= sent_at:
                raise _too_late(operation, where)
            self.calls += 1
            try:
                response = await self._whole_answer(request, limits)
            except NeverSent as error:
                raise Unreachable(
                    f"{request.url.copy_with(path='/')} cannot be reached ({_why(error)}): "
                    "check the URL and that the service runs.",
                    operation=operation.value,
                    sent=False,
                ) from None
            except (TooMuchAnswer, Undecodable) as error:
                raise BadAnswer(
                    f"{operation} on {where}: the answer cannot be taken in: {error}. "
                    "It is not known whether the call took effect.",
                    operation=operation.value,
                    status=0,
                ) from None
            except (httpx.HTTPError, TimeoutError, OSError) as error:
                raise Unreachable(
                    f"{operation} on {where}: no complete answer from {request.url.host} ({_why(error)}). "
                    "It is not known whether the call took effect.",
                    operation=operation.value,
                    sent=True,
                ) from None
        response.extensions[SENT_AT] = sent_at
        ahead = clock_ahead(response)
        self.clock_ahead = self.clock_ahead if ahead is None else ahead
        return response

    async def _whole_answer(self, request: httpx.Request, limits: Limits) -> httpx.Response:
        """Send, and read the answer to its end; the timeouts of the transport are per read, and a server may drip for ever."""
        if limits.claim is not None:
            limits.claim.release()  # of an earlier attempt
        with anyio.fail_after(limits.poll_seconds + READ_SECONDS + LONG_POLL_MARGIN_SECONDS + _upload_seconds(request)) as scope:
            response = await self._http.send(request, stream=True)
            try:
                return await read_answer(response, most=limits.answer_bytes, claim=limits.claim, deadline=scope)
            finally:
                with anyio.CancelScope(shield=True):
                    await response.aclose()


def _too_late(operation: Operation, where: str) -> LockLost:
    error = LockLost(f"{operation} on {where}: not sent, the lock ran out while it waited.", status=0, operation=operation.value)
    error.before_sending = True
    return error


@contextmanager
def _token_errors() -> Iterator[None]:
    """Mark what goes wrong while asking for a token: the call itself was certainly not sent."""
    try:
        yield
    except CourierError as error:
        error.before_sending = True
        raise


def _timeout(poll_seconds: float) -> httpx.Timeout | Any:
    if not poll_seconds:
        return httpx.USE_CLIENT_DEFAULT
    return httpx.Timeout(poll_seconds + LONG_POLL_MARGIN_SECONDS, connect=10.0, pool=None)


def _upload_seconds(request: httpx.Request) -> float:
    return int(request.headers.get("Content-Length", 0)) / SLOWEST_BYTES_PER_SECOND


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    asked = retry.retry_after(error) if isinstance(error, CourierError) else None
    if asked is None:
        return float(_backoff(state))
    return asked + random.uniform(0, 0.1 + asked / 10)  # noqa: S311  # jitter, not a secret


def _why(error: BaseException) -> str:
    return str(error).split("\n", 1)[0][:200] or type(error).__name__
