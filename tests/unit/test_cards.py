"""Cards: capped, escaped, and readable without styles."""

from __future__ import annotations

import re
import unicodedata
from html.parser import HTMLParser
from typing import Any

import pytest
from IPython.lib.pretty import pretty

from courier_nb.core.cards import MOST_ROWS, Card, Table, shown_as
from tests.hostile import corpus

ALLOWED = {"div", "p", "strong", "table", "caption", "thead", "tbody", "tr", "th", "td", "ul", "li"}


class Page(HTMLParser):
    """Collects tags, attributes and text."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def card(rows: int = 3) -> Card:
    cells = [(f"id-{i}", "refused", None) for i in range(rows)]
    return Card(
        "ack 'q'",
        [("calls", 2), ("nothing", None), ("empty", "")],
        Table(("id", "outcome", "reason"), cells, rows, "Failed"),
        ["n"],
    )


def test_a_card_has_a_title_facts_a_table_and_notes() -> None:
    page = Page(card().html())
    assert page.open == []
    for text in ("ack 'q'", "calls", "2", "Failed", "id-2", "refused", "n"):
        assert text in page.text
    assert "nothing" not in page.text
    assert [attrs["scope"] for tag, attrs in page.tags if tag == "th"] == ["row", "col", "col", "col"]
    assert card().text().split("\n") == [
        "ack 'q'",
        "  calls  2",
        "  Failed",
        "    id    outcome  reason",
        "    id-0  refused",
        "    id-1  refused",
        "    id-2  refused",
        "  n",
    ]


@pytest.mark.parametrize("rows", [MOST_ROWS, MOST_ROWS + 1, 10_000])
def test_at_most_ten_rows_are_shown_and_how_many_more_there_are_is_said(rows: int) -> None:
    html, text = card(rows).html(), card(rows).text()
    assert html.count("<tr>") == 1 + 1 + MOST_ROWS
    assert len(text.split("\n")) == 4 + MOST_ROWS + 1
    for shown in (html, text):
        assert ("more" in shown) == (rows > MOST_ROWS)
        assert rows == MOST_ROWS or f"the first 10; {rows - MOST_ROWS} more" in shown


def test_long_texts_and_many_notes_are_cut() -> None:
    long = Card("t" * 10_000, [("f", "v" * 10_000)], Table(("c",), [["x" * 10_000]], 1, "w" * 10_000), ["n" * 10_000] * 50)
    assert len(long.text()) < 10_000
    assert "and 40 notes more" in long.text()
    assert "and 40 notes more" in long.html()


@pytest.mark.parametrize("text", [text for text in corpus.TEXTS if text])
def test_hostile_text_is_shown_and_never_obeyed(text: str) -> None:
    hostile = Card(text, [(text, text)], Table((text,), [[text]], 1, text), [text])
    page = Page(hostile.html())
    assert {tag for tag, _ in page.tags} <= ALLOWED
    assert all(set(attrs) <= {"class", "style", "scope"} for _, attrs in page.tags)
    for shown in (hostile.html(), hostile.text().replace("\n", "")):
        assert not {c for c in shown if not c.isprintable() and unicodedata.category(c) != "Zs"}
        assert "\u202e" not in shown


def test_no_text_is_typeset_and_no_colour_is_our_own() -> None:
    html = card().html()
    assert 'class="courier-nb-card tex2jax_ignore mathjax_ignore"' in html
    assert "<script" not in html
    assert not re.search("#[0-9a-fA-F]{3}", html)
    assert "rgb" not in html
    assert "background" not in html


def test_plain_text_stands_alone_and_is_one_line_inside_of_others() -> None:
    @shown_as(lambda _: card())
    class Thing:
        def __repr__(self) -> str:
            return "<thing>"

    @shown_as(lambda _: card(), text=False)
    class Quiet(Thing):
        def __repr__(self) -> str:
            return "<quiet>"

    thing: Any = Thing()
    assert repr(thing) == "<thing>"
    assert pretty(thing) == card().text()
    assert pretty([thing]) == "[<thing>]"
    assert thing._repr_html_() == card().html()
    assert pretty(Quiet()) == "<quiet>"
