"""XML indented without changing its content, and without obeying it.

Only the places of the tags come from the parser; every character shown is one of the document's own. Nothing is expanded or
fetched: a document that declares entities is not laid out at all, since that is how a small one becomes huge.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from xml.parsers import expat

from courier_nb.jupyter.bodies.jsontext import fault_at

Piece = Literal["start", "end", "text", "other"]

_INDENT = "  "
_DEEPEST_INDENT = 40
_OWN_LINE = ("<?", "<!--", "<!DOCTYPE")


class DeclaresEntities(ValueError):
    """The document declares entities, which are neither expanded nor laid out."""

    def __init__(self) -> None:
        super().__init__("it declares entities, which are not expanded here")


@dataclass(slots=True)
class _Element:
    holds_text: bool
    """Whether a space more or less in it would change its content."""
    is_leaf: bool = True


@dataclass(slots=True)
class _Token:
    piece: Piece
    at: int
    element: _Element


def indented(text: str, *, is_whole: bool = True) -> str:
    """Return a document with one element a line; elements that hold text stay as they are.

    Parameters
    ----------
    text : str
    is_whole : bool
        False for the beginning of a document; its last, unfinished tag is left out of the layout but not of the text.

    Raises
    ------
    SyntaxFault
        When it is not well-formed.
    DeclaresEntities
    """
    text = text.removeprefix("\ufeff")
    content = text.encode("utf-8", "surrogatepass")
    tokens = _tokens(content, text, is_whole)
    ends = [token.at for token in tokens[1:]] + [len(content)]
    lines: list[str] = []
    stays = [False]  # for each element around: whether nothing in it may be moved
    for token, end in zip(tokens, ends, strict=True):
        piece = content[token.at : end].decode("utf-8", "surrogatepass")
        is_still = stays.pop() if token.piece == "end" else stays[-1]
        if is_still:
            lines[-1] += piece
        elif piece.strip():
            lines.append(_INDENT * min(len(stays) - 1, _DEEPEST_INDENT) + piece.strip())
        if token.piece == "start":
            stays.append(is_still or token.element.holds_text or token.element.is_leaf)
    return "\n".join(lines)


def check(text: str) -> None:
    """Raise where `text` is not a well-formed document.

    Raises
    ------
    SyntaxFault
    DeclaresEntities
    """
    _tokens(text.encode("utf-8", "surrogatepass"), text, is_whole=True)


def _tokens(content: bytes, text: str, is_whole: bool) -> list[_Token]:
    reader = _Places()
    try:
        reader.parser.Parse(content, is_whole)
    except expat.ExpatError as error:
        position = len(content[: reader.parser.ErrorByteIndex].decode("utf-8", "ignore"))
        raise fault_at(expat.ErrorString(error.code).capitalize(), text, position) from None
    return reader.tokens


class _Places:
    """Notes where each piece of a document begins, and which elements hold text."""

    def __init__(self) -> None:
        # The text is already decoded: whatever encoding the document names was right once, and is not now.
        self.parser = parser = expat.ParserCreate("utf-8")
        self.tokens: list[_Token] = []
        self._around = [_Element(holds_text=False)]
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.StartCdataSectionHandler = self._cdata
        parser.EndCdataSectionHandler = self._nothing
        parser.EntityDeclHandler = self._refuse
        # With it, references to entities are handed over as they are written.
        parser.DefaultHandler = self._other

    def _add(self, piece: Piece, element: _Element) -> None:
        self.tokens.append(_Token(piece, self.parser.CurrentByteIndex, element))

    def _start(self, _: str, attributes: dict[str, str]) -> None:
        self._around[-1].is_leaf = False
        element = _Element(holds_text=attributes.get("xml:space") == "preserve")
        self._around.append(element)
        self._add("start", element)

    def _end(self, _: str) -> None:
        self._add("end", self._around.pop())

    def _text(self, text: str) -> None:
        if text.strip():
            self._around[-1].holds_text = True
        self._add("text", self._around[-1])

    def _cdata(self) -> None:
        self._around[-1].holds_text = True
        self._add("text", self._around[-1])

    def _other(self, text: str) -> None:
        if text.startswith("&"):
            self._around[-1].holds_text = True
            self._add("text", self._around[-1])
        elif text.startswith(_OWN_LINE):
            self._around[-1].is_leaf = False
            self._add("other", self._around[-1])

    def _nothing(self) -> None:
        pass

    def _refuse(self, *_: object) -> None:
        raise DeclaresEntities
