"""Where the broker knowingly differs from the vendor's OpenAPI file, and why. Nothing else is let through.

The sections are those of the project's fact sheet. `AMENDMENTS` say in the file's own language what it leaves out or gets
wrong; they are made to the loaded description, never to the file, and then hold in both directions: what is within them must
be accepted, what is beyond them refused. `ALLOWANCES` are for what depends on the state of a queue, which no such file can say.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

Description = dict[str, Any]

_BATCH_ACK = "/messages", "delete"
_BATCH_NACK = "/messages/locks", "delete"
_PRINTABLE = r"^[!-~]*$"


@dataclass(frozen=True)
class Amendment:
    """A change to the loaded description.

    Attributes
    ----------
    what, reason, section : str
    make : callable
        Changes the description it is given.
    """

    what: str
    reason: str
    section: str
    make: Callable[[Description], None]


@dataclass(frozen=True)
class Allowance:
    """What Schemathesis reports though it is right.

    Attributes
    ----------
    what, reason, section : str
    failure : str
        The kind of failure, by Schemathesis's name.
    operation : str
        Regular expression of the operation that it is reported for.
    status : int
    text : str
        Regular expression of the answer.
    """

    what: str
    reason: str
    section: str
    failure: str
    operation: str
    status: int
    text: str


def _operations(description: Description) -> Iterator[Description]:
    for path, methods in description["paths"].items():
        if path.endswith(("/messages", "/locks", "/{messageId}", "/{lockId}")):
            yield from (operation for method, operation in methods.items() if method in ("get", "put", "patch", "delete"))


def _operation(description: Description, path: str, method: str) -> Description:
    """Return the operation whose path ends with this."""
    (found,) = (
        methods[method] for name, methods in description["paths"].items() if name.endswith("}" + path) and method in methods
    )
    return dict(found)


def _schemas(description: Description) -> Description:
    return dict(description["components"]["schemas"])


def _no_anonymous_access(description: Description) -> None:
    for operation in _operations(description):
        operation["security"].remove({})


def _authorize_needs_no_token(description: Description) -> None:
    description["paths"]["/authorize"]["post"]["security"] = []


def _unauthorized_is_text(description: Description) -> None:
    answer = {"description": "No valid token.", "content": {"text/plain": {"schema": {"type": "string"}}}}
    for operation in _operations(description):
        operation["responses"]["401"] = answer
    description["paths"]["/authorize"]["post"]["responses"]["401"]["content"] |= answer["content"]


def answer_batches_with_arrays(description: Description) -> None:
    """Make the answers to batch ack and nack arrays of what the file says they are."""
    for place in (_BATCH_ACK, _BATCH_NACK):
        content = _operation(description, *place)["responses"]["200"]["content"]["application/json"]
        content["schema"] = {"type": "array", "items": content["schema"]}


def _bodies_are_required(description: Description) -> None:
    description["components"]["requestBodies"]["ackNackBatch"]["required"] = True
    description["paths"]["/authorize"]["post"]["requestBody"]["required"] = True
    for operation in _operations(description):
        if "requestBody" in operation and "$ref" not in operation["requestBody"]:
            operation["requestBody"]["required"] = True
        elif "requestBody" in operation:  # what stands beside a reference counts for nothing
            operation["requestBody"] = {"$ref": operation["requestBody"]["$ref"]}


def _a_batch_is_one_to_ten(description: Description) -> None:
    for name in ("sendBatch", "ackNackBatch", "modifyTtlBatch"):
        _schemas(description)[name] |= {"minItems": 1, "maxItems": 10}


def _ids_have_lengths(description: Description) -> None:
    schemas = _schemas(description)
    lock_id = {"type": "string", "minLength": 1}
    message_id = lock_id | {"maxLength": 256}
    schemas["sendBatch"]["items"]["properties"]["headers"]["properties"]["messageId"] = message_id
    schemas["ack"]["properties"]["lockId"] = lock_id
    for name in ("ackNackBatch", "modifyTtlBatch"):
        schemas[name]["items"]["properties"] |= {"messageId": message_id, "lockId": lock_id}


def _a_lock_is_named(description: Description) -> None:
    schemas = _schemas(description)
    schemas["ack"]["required"] = ["lockId"]
    schemas["ackNackBatch"]["items"]["required"] = ["messageId", "lockId"]


def _headers_have_limits(description: Description) -> None:
    headers = _schemas(description)["sendBatch"]["items"]["properties"]["headers"]
    headers["properties"] |= {
        "messageGroupId": {"type": "string", "minLength": 1, "maxLength": 128, "pattern": _PRINTABLE},
        "deliveryDelay": {"type": "integer", "minimum": 0, "maximum": 900_000},
        "ttl": {"type": "integer", "minimum": 1},
    }
    headers["additionalProperties"] = {"anyOf": [{"type": "string"}, {"type": "number"}, {"type": "boolean"}]}


def _only_the_body_is_required(description: Description) -> None:
    item = _schemas(description)["sendBatch"]["items"]
    item["required"].remove("headers")
    del item["properties"]["headers"]["required"]


def _one_message_is_like_one_of_a_batch(description: Description) -> None:
    content = _operation(description, "/messages/{messageId}", "put")["requestBody"]["content"]["application/json"]
    content["schema"] = copy.deepcopy(_schemas(description)["sendBatch"]["items"])
    content["schema"]["properties"]["headers"]["properties"]["messageId"] = {}


def _locks_last_twelve_hours(description: Description) -> None:
    schemas = _schemas(description)
    for schema in (schemas["modifyTtl"], schemas["modifyTtlBatch"]["items"]):
        schema["properties"]["ttl"] |= {"minimum": 0, "maximum": 43_200}


AMENDMENTS = (
    Amendment(
        "a token is always required",
        "the file lists an empty security option; its own text, the other documents and every client say otherwise",
        "9, conflict 28",
        _no_anonymous_access,
    ),
    Amendment("/authorize needs no token", "it is where tokens come from", "2, row 2.1", _authorize_needs_no_token),
    Amendment(
        "401 with a text that is not JSON",
        "missing in the file, but clients get it; the only witness of its body saw plain text",
        "1.6",
        _unauthorized_is_text,
    ),
    Amendment(
        "batch ack and nack answer an array",
        "the file's schema is one object, its text speaks of the parts of a batch, and the sister operations answer arrays",
        "1.5; 9, conflict 6",
        answer_batches_with_arrays,
    ),
    Amendment(
        "a body is required", "the operations cannot do without; the file leaves it at the default", "1.1", _bodies_are_required
    ),
    Amendment("a batch has 1 to 10 items", "the file says so in words only", "1.4; 4.1", _a_batch_is_one_to_ten),
    Amendment("ids in bodies are as long as in paths", "the file limits the same ids in paths", "1.1", _ids_have_lengths),
    Amendment(
        "an ack or nack names message and lock",
        "the file marks nothing of it as required",
        "1.1, operations 3, 5, 7",
        _a_lock_is_named,
    ),
    Amendment(
        "deliveryDelay, messageGroupId, ttl and custom headers have limits",
        "given in other documents; a header is one value, as an attribute of SQS is",
        "1.4; 4.1",
        _headers_have_limits,
    ),
    Amendment(
        "headers and messageId may be missing",
        "optional in the connector's documents: the broker generates an id",
        "1.4; 9, conflict 7",
        _only_the_body_is_required,
    ),
    Amendment(
        "a single message has the form of one in a batch, but its id is that of the path whatever its headers say",
        "the file has an example but no schema",
        "1.4",
        _one_message_is_like_one_of_a_batch,
    ),
    Amendment(
        "a lock change is at most 12 hours",
        "the file says so in words only; seconds",
        "9, conflicts 2 and 3",
        _locks_last_twelve_hours,
    ),
)

ALLOWANCES = (
    Allowance(
        "a lock that is expired or nobody's is refused",
        "the file cannot know which locks are held",
        "1.6; 4.4",
        "RejectedPositiveData",
        r"(DELETE|PATCH) .*/messages/\{messageId\}(/locks/\{lockId\})?",
        400,
        r'\{"status":"failure","statusMessage":"LockId: .* provided is expired"\}',
    ),
    Allowance(
        "from an exchange nothing is received, and so there are no locks",
        "the file cannot know which destinations are exchanges",
        "1.2",
        "RejectedPositiveData",
        "(GET|DELETE|PATCH) .*/messages.*",
        400,
        r'\{"status":"failure","statusMessage":"The destination should be a queue\."\}',
    ),
    Allowance(
        "a message for a FIFO queue cannot be delayed",
        "the file cannot know which destinations are FIFO queues",
        "1.4; 4.3",
        "RejectedPositiveData",
        r"PUT .*/messages(/\{messageId\})?",
        400,
        r'\{"status":"failure","statusMessage":".*deliveryDelay.*FIFO.*"\}',
    ),
    Allowance(
        "after a batch ack or nack, messages can still be received and locks changed",
        "it deletes what its items name, not what its path names",
        "1.5",
        "UseAfterFree",
        "DELETE .*/messages(/locks)?",
        200,
        ".*",
    ),
)


def amend(description: Description) -> None:
    """Make all amendments.

    Raises
    ------
    ValueError
        When one changes nothing: then the file has become right, and the amendment has to go.
    """
    for amendment in AMENDMENTS:
        before = repr(description)
        amendment.make(description)
        if repr(description) == before:
            raise ValueError(f"The file no longer needs this amendment: {amendment.what}.")


def allowance(failure: str, operation: str, status: int, text: str) -> Allowance | None:
    """Return what allows this failure."""
    for candidate in ALLOWANCES:
        is_case = (failure, status) == (candidate.failure, candidate.status)
        if is_case and re.fullmatch(candidate.operation, operation) and re.fullmatch(candidate.text, text, re.DOTALL):
            return candidate
    return None
