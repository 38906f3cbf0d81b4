"""Switches: what is unknown or disputed about the real service, each with the default that the evidence speaks for."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal, get_args, get_type_hints

from courier_nb.broker.config.checks import check_range, one_of, wrong

LockTtlUnit = Literal["s", "ms"]


@dataclass(frozen=True, slots=True)
class Switches:
    """What nobody outside can know of the real service, or where its own documents contradict each other.

    ``docs/broker.md`` gives the evidence for each; ``courier-nb doctor --probe`` finds many of them out on a real queue.

    Attributes
    ----------
    lock_ttl_unit : {"s", "ms"}
        Unit of ``ttl`` in a lock change.
    receive_lock_limit : {"24h", "12h"}
        The longest ``lockTtl`` of a receive.
    receive_lock_default : {"queue", "2m"}
        The lock of a receive that names none: the queue's ``defaultLockTtl``, or two minutes.
    zero_lock : {"visible", "default"}
        ``lockTtl=0``: visible again at once, or the queue's default.
    zero_polling : {"at-once", "default"}
        ``pollingTime=0``: answers at once, or waits ten seconds.
    unknown_parameters : {"ignore", "refuse"}
        Query parameters of the broker API that are not in the specification, such as ``poolingTime``; unknown fields in what
        is sent to the Admin API.
    batch_settle_result : {"array", "object"}
        The answer to a batch ack or nack.
    bad_settle_batch : {"items", "refuse"}
        A batch ack, nack or lock change in which no lock is valid: 200 with failed items, or 400.
    missing_message_id : {"generate", "refuse"}
        An item of a batch without ``messageId``.
    message_ttl : {"honour", "ignore"}
        The header ``ttl`` of a published message.
    odd_property_values : {"accept", "refuse"}
        Values of properties that are neither text nor number: booleans, nulls, arrays, objects.
    fifo_message_delay : {"refuse", "ignore"}
        ``deliveryDelay`` on a message for a FIFO queue.
    fifo_in_flight : {"group", "queue"}
        Limit of 10 in flight per message group, or of 20,000 per FIFO queue as well.
    hidden_body : {"absent", "null", "empty"}
        ``body`` of a message whose payload is hidden.
    expired_lock : {"refuse", "ack-if-unread"}
        An ack with an expired lock on a standard queue, when nobody has received the message since.
    dead_letter_count : {"restart", "continue"}
        ``deliveryCount`` of a message in the dead-letter queue.
    dead_letter_created : {"sqs", "keep", "reset"}
        ``created`` of a dead letter, and the start of its time to live; ``sqs`` keeps it in standard queues only.
    changed_ttl : {"all", "new"}
        Which messages a change of a queue's ``defaultTtl`` applies to.
    changed_fifo_delay : {"all", "new"}
        Which messages a change of a FIFO queue's ``defaultDeliveryDelay`` applies to.
    delay_unit : {"ms", "s"}
        Unit of ``defaultDeliveryDelay`` in the Admin API.
    exchange_read_status : {400, 404, 405}
        Status of a receive from an exchange.
    size_limit_counts : {"item", "batch"}
        Whether 10 MB is the limit of each body or of all bodies of a batch.
    purge_scope : {"either", "administer", "clear"}
        Which scope a purge needs.
    region_entity : {"both", "regionId", "id"}
        Keys of an entry of the list of regions.
    environments_key : {"data", "environments"}
        Under which key the environments are listed.
    live_depth : {"array", "object"}
        The live depth of a single queue.
    history_shape : {"bare", "value"}
        Whether the history of a queue is wrapped in ``value``.
    anonymous : {"refuse", "allow"}
        Requests without a token.
    platform_limits : {"off", "documented"}
        Whether Admin (50 a minute), Stats (100 a minute) and FIFO (300 a second) calls beyond the limit answer 429.
    stats_calls_per_minute : int
        The limit of Stats calls, when `platform_limits` is documented: 100 or 200.
    admin_page_limit : int
        The largest ``limit`` of a list in the Admin API.
    stats_ids : int
        How many queues one Stats call may name.

    Raises
    ------
    ConfigError
        When a value is none of those named.
    """

    lock_ttl_unit: LockTtlUnit = "s"
    receive_lock_limit: Literal["24h", "12h"] = "24h"
    receive_lock_default: Literal["queue", "2m"] = "queue"
    zero_lock: Literal["visible", "default"] = "visible"
    zero_polling: Literal["at-once", "default"] = "at-once"
    unknown_parameters: Literal["ignore", "refuse"] = "ignore"
    batch_settle_result: Literal["array", "object"] = "array"
    bad_settle_batch: Literal["items", "refuse"] = "items"
    missing_message_id: Literal["generate", "refuse"] = "generate"
    message_ttl: Literal["honour", "ignore"] = "honour"
    odd_property_values: Literal["accept", "refuse"] = "accept"
    fifo_message_delay: Literal["refuse", "ignore"] = "refuse"
    fifo_in_flight: Literal["group", "queue"] = "group"
    hidden_body: Literal["absent", "null", "empty"] = "absent"
    expired_lock: Literal["refuse", "ack-if-unread"] = "refuse"
    dead_letter_count: Literal["restart", "continue"] = "restart"
    dead_letter_created: Literal["sqs", "keep", "reset"] = "sqs"
    changed_ttl: Literal["all", "new"] = "all"
    changed_fifo_delay: Literal["all", "new"] = "all"
    delay_unit: Literal["ms", "s"] = "ms"
    exchange_read_status: Literal[400, 404, 405] = 400
    size_limit_counts: Literal["item", "batch"] = "item"
    purge_scope: Literal["either", "administer", "clear"] = "either"
    region_entity: Literal["both", "regionId", "id"] = "both"
    environments_key: Literal["data", "environments"] = "data"
    live_depth: Literal["array", "object"] = "array"
    history_shape: Literal["bare", "value"] = "bare"
    anonymous: Literal["refuse", "allow"] = "refuse"
    platform_limits: Literal["off", "documented"] = "off"
    stats_calls_per_minute: int = 100
    admin_page_limit: int = 1_000
    stats_ids: int = 100

    def __post_init__(self) -> None:
        for name, words in choices().items():
            value = getattr(self, name)
            if value not in words or type(value) is not type(words[0]):
                raise wrong(name, value, f"one of {one_of(map(repr, words))}")
        for name in ("stats_calls_per_minute", "admin_page_limit", "stats_ids"):
            check_range(name, getattr(self, name), 1, 100_000)


def choices() -> dict[str, tuple[Any, ...]]:
    """Return the switches that are one of several words, with these words; the first is the default."""
    hints = get_type_hints(Switches)
    found = {field.name: get_args(hints[field.name]) for field in fields(Switches)}
    return {name: words for name, words in found.items() if words}
