"""What the viewer's page is told about a message, or about two."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from courier_nb.core.messages import Message
from courier_nb.core.printable import plain
from courier_nb.jupyter.bodies import compare, details, forms


def of_body(message: Message, wanted: str, part: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what may be known of a message by everyone, and its content in a form.

    Parameters
    ----------
    message : Message
    wanted : str
        A form, or ``auto``.
    part : int
        Which part of a long body, from 0.
    """
    found = forms.form_of(message)
    content: dict[str, Any] = {
        "id": plain(message.message_id or ""),
        "headers": [[plain(name), details.shown(text)] for name, text in details.header_rows(message)],
        "properties": [
            {"name": details.shown(entry["name"]), "kind": entry["kind"], "text": details.shown(entry["text"])}
            for entry in details.property_rows(message)
        ],
    }
    head: dict[str, Any] = {"about": "body", "found": found, "missing": ""}
    body = message.body
    if body is None or (is_hidden(message) and not body):
        head["missing"] = why_missing(message)
        return head, content
    form = next((form for form in forms.FORMS if form == wanted), found)
    shown = forms.show(body, form, part)
    words = [_doubt(message, body, found) if wanted not in forms.FORMS else "", shown.words]
    head |= {"form": shown.form, "words": "; ".join(filter(None, words)), "part": shown.part, "parts": shown.parts}
    head["size"] = len(forms.bytes_of(body))
    content["body"] = shown.content
    return head, content


def _doubt(message: Message, body: str | bytes, found: forms.Form) -> str:
    """Return in words why a body is not shown as its content type says; empty when it is."""
    said = forms.said_form(message)
    if said not in ("json", "xml") or said == found:
        return ""
    try:
        forms.check(forms.text_of(body), said)
    except ValueError as why:
        return f"its content type says {said.upper()}, which it is not: {why}"
    return ""


def of_comparison(sides: Sequence[tuple[str, Message]]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return how many differences two messages have, and which; each comes with words for it."""
    parts = compare.compare(sides[0][1], sides[1][1])
    content = {
        "sides": [f"{words}: {plain(message.message_id or 'no id')}" for words, message in sides],
        "parts": compare.as_content(parts),
    }
    return {"about": "compare", "differences": compare.differences(parts)}, content


def is_hidden(message: Message) -> bool:
    """Whether the broker says that it withheld the body; whether it then sends none or an empty one, nobody documents."""
    return str(message.headers.get("payloadHidden", "")).lower() == "true"


def why_missing(message: Message) -> str:
    """Return in words why a message has no body."""
    if is_hidden(message):
        return "the broker withheld it (payload_hidden), as the payload visibility set for it demands"
    return "this row has none (the column body was not read, or is empty)"
