"""Foreign names as file names."""

from __future__ import annotations

import os
from pathlib import Path, PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from courier_nb.storage.disk import file_stem

from . import corpus

ANY = st.text(st.characters(exclude_categories=[]), max_size=140)
DEVICES = {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", *(f"{kind}{n}" for kind in ("COM", "LPT") for n in "0123456789¹²³")}
NASTY = st.sampled_from([*corpus.PATHS, *corpus.IDS, *sorted(DEVICES), "😀" * 127, "x" * 500, "orders", "Orders", "ORDERS"])
NAMES = ANY | NASTY | st.from_regex(r"[A-Za-z0-9._-]{1,127}", fullmatch=True)


@given(NAMES)
def test_it_never_leaves_its_folder_and_is_no_device(name: str) -> None:
    stem = file_stem(name)
    folder = Path("/captures/here")
    assert os.path.commonpath([folder, os.path.normpath(folder / stem)]) == str(folder)
    assert (folder / stem).parent == folder
    assert PureWindowsPath(stem).parts == (stem,)
    assert stem.upper().split(".")[0] not in DEVICES
    assert stem.isascii()
    assert not set(stem) & set('<>:"/\\|?*.\0')
    assert 1 <= len(stem) <= 60


@given(NAMES, NAMES)
def test_two_names_never_share_a_file_even_where_case_is_ignored(one: str, other: str) -> None:
    assert (file_stem(one).lower() == file_stem(other).lower()) == (one == other)


@given(NAMES)
def test_a_name_made_to_look_like_the_file_of_another_does_not_get_it(name: str) -> None:
    assert name == file_stem(name) or file_stem(file_stem(name)) != file_stem(name)


@pytest.mark.parametrize(("one", "other"), [("orders", "Orders"), ("é", "e\u0301"), ("a.b", "a-b"), ("a/b", "a\\b"), ("x", "x ")])
def test_names_that_look_alike_have_files_of_their_own(one: str, other: str) -> None:
    assert file_stem(one).lower() != file_stem(other).lower()


def test_a_simple_name_is_its_own_file() -> None:
    assert [file_stem(name) for name in ("orders-dlq", "q1")] == ["orders-dlq", "q1"]
    assert file_stem("con") != "con"


def test_every_name_of_the_corpus_can_be_created_in_one_folder(tmp_path: Path) -> None:
    names = sorted({*corpus.TEXTS, *corpus.IDS})
    folder = tmp_path / "inner"
    folder.mkdir()
    for name in names:
        (folder / file_stem(name)).touch(exist_ok=False)
    assert [path.name for path in tmp_path.iterdir()] == ["inner"]
    assert len(list(folder.iterdir())) == len(names)
