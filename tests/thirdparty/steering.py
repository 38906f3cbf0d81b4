"""Leads Schemathesis to what the broker really has: most calls go to real destinations, and to locks that are held just now."""

from __future__ import annotations

import uuid
import zlib
from typing import Any
from urllib.parse import quote, unquote

import httpx
import schemathesis
import schemathesis.core

FIFO_QUEUE = "ledger"
QUEUES = ("orders", "orders-dlq", FIFO_QUEUE)
IDLE_QUEUE = "idle"
EXCHANGE = "events"
_LONGEST = {"destinationId": 127, "messageId": 256}
_LONGEST_IDLE_POLL_MS = 40


class Steering:
    """Changes generated cases before they are sent; which ones, and how, follows from the case alone.

    Parameters
    ----------
    settings : dict
        What ``courier-nb broker`` announces.

    Attributes
    ----------
    holds_lock : bool
        Whether the case that was sent last names, alone, a lock that is held.
    """

    def __init__(self, settings: dict[str, str]) -> None:
        self._settings = settings
        self._place = settings["organization"], settings["environment"]
        self._credentials = {name: settings[name] for name in ("client_id", "client_secret")} | {
            "grant_type": "client_credentials"
        }
        self._client = httpx.Client()
        answer = self._client.post(f"{settings['url']}/authorize", data=self._credentials).raise_for_status()
        self._client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        self.holds_lock = False

    def steer(self, case: schemathesis.Case[Any]) -> None:
        """Replace ids by real ones, where they are valid ids; one case in ten is left alone."""
        self.holds_lock = False
        body = None if isinstance(case.body, schemathesis.core.NotSet) else case.body
        parts = case.method, case.path, case.path_parameters, case.query, body
        lot = zlib.crc32(repr(parts).encode("utf-8", "replace"))
        if case.path == "/authorize":
            self._give_credentials(case, lot)
        elif lot % 10 > 0 and not any(map(_is_misjudged, case.path_parameters.items())):
            # a copy: what a case is made of may be part of others too
            case.path_parameters = case.path_parameters | dict(zip(("organizationId", "environmentId"), self._place, strict=True))
            if lot % 10 > 1 and _is_id(case.path_parameters.get("destinationId"), _LONGEST["destinationId"]):
                self._choose(case, lot)

    def knows(self, case: schemathesis.Case[Any]) -> bool:
        """Tell whether a case names a destination that exists."""
        ids = {name: unquote(str(value)) for name, value in case.path_parameters.items()}
        is_here = (ids.get("organizationId"), ids.get("environmentId")) == self._place
        return is_here and ids.get("destinationId") in (*QUEUES, IDLE_QUEUE, EXCHANGE)

    def _choose(self, case: schemathesis.Case[Any], lot: int) -> None:
        """Give a case a destination that exists, with what it takes to do something there."""
        # of the polls, a few find nothing, or an exchange
        places = {"GET": (*QUEUES, *QUEUES, IDLE_QUEUE, EXCHANGE), "PUT": (*QUEUES, EXCHANGE)}.get(case.method, QUEUES)
        place = case.path_parameters["destinationId"] = places[lot // 10 % len(places)]
        if case.method == "GET" and place in QUEUES:
            self._publish(place)
        elif place == IDLE_QUEUE:
            polling = str(case.query.get("pollingTime", 10_000))
            if polling.isdecimal() and int(polling) <= 20_000:
                case.query = case.query | {"pollingTime": int(polling) % _LONGEST_IDLE_POLL_MS}
        elif case.method in ("PATCH", "DELETE") and lot % 10 > 2:
            self._give_locks(case)
        elif place == FIFO_QUEUE and lot % 10 > 3:
            case.body = _without_delay(case.body)

    def _give_credentials(self, case: schemathesis.Case[Any], lot: int) -> None:
        body = case.body
        if isinstance(body, dict) and all(isinstance(body.get(name), str) for name in self._credentials) and lot % 10 > 1:
            case.body = {**body, **self._credentials}

    def _give_locks(self, case: schemathesis.Case[Any]) -> None:
        ids, body = case.path_parameters, case.body
        if isinstance(body, list):
            case.body = [self._with_lock(ids["destinationId"], item) for item in body]
        elif _is_id(ids.get("messageId"), _LONGEST["messageId"]) and _is_id(ids.get("lockId", "in the body")):
            message, lock = self._lock(ids["destinationId"])
            if _is_misjudged(("messageId", quote(message, safe=""))):
                return
            ids["messageId"] = quote(message, safe="")
            if "lockId" in ids:
                ids["lockId"] = quote(lock, safe="")
            elif isinstance(body, dict) and isinstance(body.get("lockId"), str):
                case.body = body | {"lockId": lock}
            self.holds_lock = True

    def _with_lock(self, queue: str, item: Any) -> Any:
        if isinstance(item, dict) and all(isinstance(item.get(name), str) and item[name] for name in ("messageId", "lockId")):
            message, lock = self._lock(queue)
            return item | {"messageId": message, "lockId": lock}
        return item

    def _lock(self, queue: str) -> tuple[str, str]:
        self._publish(queue)
        (message,) = self._call("GET", queue, params={"pollingTime": 1_000, "lockTtl": 600_000}).json()
        return message["headers"]["messageId"], message["headers"]["lockId"]

    def _publish(self, queue: str) -> None:
        # an id and a group of its own: the FIFO queue must neither drop it nor hold it back
        unique = str(uuid.uuid4())
        headers = {"messageId": f"{unique}: what, else? / #%2F", "messageGroupId": unique}
        self._call("PUT", queue, json=[{"headers": headers, "body": "steered"}])

    def _call(self, method: str, queue: str, **more: Any) -> httpx.Response:
        organization, environment = self._place
        path = f"organizations/{organization}/environments/{environment}/destinations/{queue}/messages"
        answer = self._client.request(method, f"{self._settings['url']}/{path}", **more)
        assert answer.status_code == 200, (method, queue, answer.status_code, answer.text)
        return answer


def _without_delay(body: Any) -> Any:
    """Return a message, or a batch of them, as a FIFO queue takes it."""
    if isinstance(body, list):
        return [_without_delay(item) for item in body]
    if isinstance(body, dict) and isinstance(body.get("headers"), dict):
        return body | {"headers": {name: value for name, value in body["headers"].items() if name != "deliveryDelay"}}
    return body


def _is_id(value: object, longest: int | None = None) -> bool:
    return isinstance(value, str) and 1 <= len(unquote(value)) <= (longest or len(value))


def _is_misjudged(parameter: tuple[str, Any]) -> bool:
    """Tell whether an id is too long only as it stands in the URL: that is what Schemathesis goes by in a changed case."""
    name, value = parameter
    return _is_id(value, _LONGEST.get(name)) and len(value) > _LONGEST.get(name, len(value))
