"""The list of probes, and what is not tried."""

from __future__ import annotations

from collections.abc import Callable

from courier_nb.doctor.bench import FETCH_CALLS
from courier_nb.doctor.probes import deadletters, locks, platform, publishing, receiving
from courier_nb.doctor.probes.seen import Probe, Question, Run
from courier_nb.doctor.subject import Subject

NOT_TRIED = {
    "fifo_in_flight": "it would take 20,000 messages in flight",
    "changed_ttl": "the doctor does not change the settings of a queue",
    "changed_fifo_delay": "the doctor does not change the settings of a queue",
    "purge_scope": "it depends on which scopes the credentials lack",
    "platform_limits": "it would use up what others in the environment may call",
    "stats_calls_per_minute": "it would use up what others in the environment may call",
}
"""Switch -> why no probe answers it."""

Obstacle = Callable[[Subject], str]

_LONGEST_TIMED_DELAY = 15
_LEAST_TIMED_DELAY = 3


def probes_for(subject: Subject) -> list[Probe]:
    """Return every probe, in the order in which they are made, with those that this queue stands in the way of."""
    return [*_reading(), *_receiving(), *_locks(), *_publishing(), _dead_letter(subject)]


def _reading() -> list[Probe]:
    def reading(switch: str, text: str, does: str, run: Run, calls: int = 1, obstacle: Obstacle = _no_region) -> Probe:
        return Probe(switch, (Question(switch, text),), does, calls, run, obstacle, clears=False)

    return [
        reading("region_entity", "Which keys has a region?", "reads the regions", platform.region_entity, obstacle=_nothing),
        reading(
            "environments_key",
            "Under which key are environments listed?",
            "reads the environments",
            platform.environments_key,
            obstacle=_nothing,
        ),
        reading("live_depth", "Is the depth of one queue an array or an object?", "reads the queue's depth", platform.live_depth),
        reading("history_shape", "Is a queue's history wrapped in 'value'?", "reads its history", platform.history_shape),
        reading(
            "admin_page_limit",
            "What is the largest limit of a list?",
            "lists destinations with different limits",
            platform.admin_page_limit,
            platform.ADMIN_TRIES,
        ),
        reading(
            "stats_ids",
            "How many queues may one Stats call name?",
            "asks for the depth of more and fewer queues",
            platform.stats_ids,
            platform.STATS_TRIES,
        ),
        reading(
            "anonymous",
            "Is a call without a token answered?",
            "returns, without a token, a message that does not exist",
            receiving.anonymous,
            obstacle=_nothing,
        ),
    ]


def _receiving() -> list[Probe]:
    return [
        _probe(
            "zero_polling",
            "What does pollingTime=0 mean?",
            "receives from the empty queue",
            1,
            receiving.zero_polling,
            clears=False,
        ),
        _probe(
            "unknown_parameters",
            "Is an unknown query parameter ignored?",
            "receives with poolingTime=1",
            1,
            receiving.unknown_parameters,
            clears=False,
        ),
        _probe(
            "receive_lock_limit",
            "Does a receive take a lock of 24 h?",
            "receives from the empty queue with long locks",
            2,
            locks.receive_lock_limit,
            clears=False,
        ),
        _probe(
            "exchange_read_status",
            "How is a receive from an exchange answered?",
            "receives from the exchange",
            1,
            receiving.exchange_read_status,
            lambda subject: subject.no_exchange,
            clears=False,
        ),
        _probe(
            "hidden_body",
            "What is under 'body' when the payload is hidden?",
            "publishes one message and receives it without its body",
            2,
            receiving.hidden_body,
        ),
    ]


def _locks() -> list[Probe]:
    one = 1 + FETCH_CALLS  # to publish a message and receive it
    return [
        _probe(
            "lock_ttl_unit",
            "Is ttl of a lock change in seconds or milliseconds?",
            f"receives one message, changes its lock with ttl={locks.UNIT_TTL} and waits for it to come back",
            one + 4,
            locks.lock_ttl_unit,
        ),
        _probe(
            "receive_lock_default",
            "How long is the lock of a receive that names none?",
            "receives one message without lockTtl and waits for it to come back",
            one + 3,
            locks.receive_lock_default,
            _no_telling_default_lock,
        ),
        _probe(
            "zero_lock",
            "What does lockTtl=0 mean?",
            "receives one message with lockTtl=0 and receives again",
            one + 1,
            locks.zero_lock,
            _no_telling_zero_lock,
        ),
        _probe(
            "expired_lock",
            "Is a lock that ran out refused although nobody received the message since?",
            "lets the lock of one message run out and acknowledges it",
            one + 2,
            locks.expired_lock,
            lambda subject: "" if subject.fifo is False else "it needs a queue that is certainly not FIFO",
        ),
        _probe(
            "bad_settle_batch",
            "How is a batch answered in which no lock is valid?",
            "settles one message with the lock of its earlier delivery",
            one + 1 + FETCH_CALLS + 3,
            locks.bad_settle_batch,
        ),
        _probe(
            "batch_settle_result",
            "Is a batch ack or nack answered with an array or an object?",
            "returns and acknowledges two messages",
            1 + 2 * FETCH_CALLS + 2,
            locks.batch_settle_result,
        ),
        _probe(
            "success_texts",
            "Which words go with success?",
            "publishes and settles two messages in every way",
            4 + 3 * FETCH_CALLS + 2,
            locks.success_texts,
            switch=False,
        ),
    ]


def _publishing() -> list[Probe]:
    one = 1 + FETCH_CALLS
    return [
        _probe(
            "missing_message_id",
            "May an item of a batch leave out its messageId?",
            "publishes one message without messageId",
            one,
            publishing.missing_message_id,
        ),
        _probe(
            "odd_property_values",
            "May properties be booleans and nulls?",
            "publishes one message with true and one with null",
            2 * (one + 1),
            publishing.odd_property_values,
        ),
        _probe(
            "message_ttl",
            "Is the header ttl of a message honoured?",
            "publishes a message with a short ttl and waits, up to a minute",
            8,
            publishing.message_ttl,
        ),
        _probe(
            "fifo_message_delay",
            "What becomes of deliveryDelay on a FIFO queue?",
            "publishes one message with a delay",
            2 + FETCH_CALLS,
            publishing.fifo_message_delay,
            lambda subject: "" if subject.fifo else "it needs a FIFO queue",
        ),
        _probe(
            "delay_unit",
            "Is the queue's defaultDeliveryDelay in seconds or milliseconds?",
            "publishes one message and waits for it",
            one,
            publishing.delay_unit,
            _no_telling_delay,
        ),
        _probe(
            "size_limit_counts",
            "Is 10 MB the limit of a message or of a batch?",
            "uploads 12 MB, perhaps 18 MB",
            6,
            publishing.size_limit_counts,
            lambda subject: "" if subject.large else "large=True (--large) was not given: it uploads more than 10 MB",
        ),
    ]


def _dead_letter(subject: Subject) -> Probe:
    deliveries = subject.max_deliveries or 0
    return Probe(
        "dead_letter",
        (
            Question("dead_letter_count", "Does deliveryCount restart in the dead-letter queue?"),
            Question("dead_letter_created", "Is created kept in the dead-letter queue?"),
        ),
        f"receives one message {deliveries} times, returns it each time, and receives it from {subject.dead_letter_queue!r}",
        1 + deliveries * (1 + FETCH_CALLS) + 1 + FETCH_CALLS,
        deadletters.dead_letter,
        lambda subject: subject.no_dead_letters,
    )


def _nothing(subject: Subject) -> str:
    return ""


def _no_region(subject: Subject) -> str:
    return "" if subject.region else "the region is not known"


def _no_telling_default_lock(subject: Subject) -> str:
    default_ms = subject.default_lock_ms or 0
    if locks.SHORTEST_DEFAULT_LOCK_MS <= default_ms <= locks.LONGEST_DEFAULT_LOCK_MS:
        return ""
    return "it needs a queue whose defaultLockTtl is known to be between 5 and 30 seconds"


def _no_telling_zero_lock(subject: Subject) -> str:
    is_short = subject.default_lock_ms is not None and subject.default_lock_ms < locks.SHORTEST_DEFAULT_LOCK_MS
    return "the queue's own lock is too short to tell the two apart" if is_short else ""


def _no_telling_delay(subject: Subject) -> str:
    delay = subject.default_delay or 0
    if _LEAST_TIMED_DELAY <= delay <= _LONGEST_TIMED_DELAY or delay > publishing.MOST_DELAY_SECONDS:
        return ""
    return "it needs a queue with a defaultDeliveryDelay of its own, of 3 to 15 or more than 900 as the Admin API shows it"


def _probe(
    name: str,
    text: str,
    does: str,
    calls: int,
    run: Run,
    obstacle: Obstacle = _nothing,
    *,
    switch: bool = True,
    clears: bool = True,
) -> Probe:
    return Probe(name, (Question(name if switch else None, text),), does, calls, run, obstacle, clears)
