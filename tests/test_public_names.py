"""The public face: names, signatures, docstrings."""

from __future__ import annotations

import inspect
import pickle

import pytest

import courier_nb
from courier_nb import AsyncClient, AsyncDestination, Client, Destination

PAIRS = [(AsyncClient, Client), (AsyncDestination, Destination)]
RENAMED = {"aclose": "close"}


def public(cls: type) -> list[str]:
    return [name for name in dir(cls) if not name.startswith("_")]


CASES = [(pair, name) for pair in PAIRS for name in public(pair[0])]


@pytest.mark.parametrize(("pair", "name"), CASES, ids=lambda value: value if isinstance(value, str) else value[0].__name__)
def test_both_faces_have_the_same_methods_and_arguments(pair: tuple[type, type], name: str) -> None:
    asynchronous, blocking = pair
    ours, theirs = getattr(asynchronous, name), getattr(blocking, RENAMED.get(name, name))
    assert inspect.getdoc(theirs)
    if isinstance(ours, property):
        assert isinstance(theirs, property)
        ours, theirs = ours.fget, theirs.fget
    assert inspect.signature(ours).parameters == inspect.signature(theirs).parameters


@pytest.mark.parametrize(("asynchronous", "blocking"), PAIRS)
def test_the_blocking_face_has_nothing_of_its_own(asynchronous: type, blocking: type) -> None:
    own = {"browse"} if blocking is Client else set()  # a widget belongs to the cells, as the blocking face does
    assert {RENAMED.get(name, name) for name in public(asynchronous)} == set(public(blocking)) - own


def test_every_public_name_is_documented() -> None:
    for name in courier_nb.__all__:
        value = getattr(courier_nb, name)
        assert name == "NULL" or inspect.getdoc(value), f"{name} has no docstring"


def test_public_methods_have_docstrings() -> None:
    classes = [value for name in courier_nb.__all__ if inspect.isclass(value := getattr(courier_nb, name))]
    missing = [
        f"{cls.__name__}.{name}"
        for cls in classes
        for name, member in vars(cls).items()
        if not name.startswith("_")
        and (inspect.isfunction(member) or isinstance(member, property))
        and not inspect.getdoc(member)
    ]
    assert missing == []


def test_what_holds_secrets_is_not_pickled_and_does_not_show_them() -> None:
    client = courier_nb.connect(client_id="an-id", client_secret="s3cret-value", region="us-east-1")
    for thing in (client, client.settings, courier_nb.Message("secret body", {}, {"messageId": "1", "lockId": "AQEBlock"})):
        shown = repr(thing) + str(thing)
        assert "s3cret-value" not in shown
        assert "secret body" not in shown
        assert "AQEBlock" not in shown
        with pytest.raises(TypeError, match="not pickled"):
            pickle.dumps(thing)
