"""What can be typed next behind ``%courier``."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click
from IPython.core.completer import CompletionContext, SimpleCompletion, SimpleMatcherResult, context_matcher

from courier_nb.cli.main import cli
from courier_nb.jupyter.magics.courier import REFUSED, cells

_LINE = re.compile(r"(?:.*=\s*)?(%%?)courier\s+(.*)")


@context_matcher(identifier="courier_nb")  # type: ignore[untyped-decorator]  # IPython does not type it
def complete(context: CompletionContext) -> SimpleMatcherResult:
    """Offer the commands of a magic, and the options of the one that was named."""
    lines = context.full_text.split("\n")
    before = lines[context.cursor_line][: context.cursor_position]
    match = _LINE.fullmatch(before)
    if match is None:
        return SimpleMatcherResult(completions=[], suppress=False)
    group = cli if match[1] == "%" else cells
    *words, word = re.split(r"\s+", match[2])
    # IPython replaces its own token, which begins behind the dashes of an option.
    skip = len(word) - len(context.token) if word.endswith(context.token) else 0
    found = [SimpleCompletion(text[skip:]) for text in _offers(group, words) if text.startswith(word)]
    return SimpleMatcherResult(completions=found, suppress=bool(found))


def _offers(group: click.Group, words: list[str]) -> Iterator[str]:
    if not words:
        yield from (name for name in group.commands if name not in REFUSED)
        return
    command = group.commands.get(words[0])
    for parameter in () if command is None else command.params:
        if isinstance(parameter, click.Option):
            yield from (option for option in (*parameter.opts, *parameter.secondary_opts) if option.startswith("--"))
