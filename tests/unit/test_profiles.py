from __future__ import annotations

import json
from pathlib import Path

import pytest

from courier_nb.core.errors import ConfigError
from courier_nb.core.profiles import read_profile

V4_PLACES = (
    ".config/anypoint-cli-v4-nodejs",
    ".config/@mulesoft/anypoint-cli-v4-nodejs",
    "Library/Preferences/@mulesoft/anypoint-cli-v4-nodejs",
)


def read(home: Path, name: str | None = None, **environ: str) -> list[tuple[str, dict[str, str]]]:
    return read_profile(name, environ=environ, home=home)


def write(path: Path, content: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def credentials(home: Path) -> Path:
    return home / ".anypoint" / "credentials"


def test_without_files_there_are_no_settings(tmp_path):
    assert read(tmp_path) == []


@pytest.mark.parametrize("folder", V4_PLACES)
def test_the_flat_file_of_the_newer_cli_is_found_wherever_it_is(tmp_path, folder):
    path = write(tmp_path / folder / "config.json", {"client_id": "i", "collectMetrics": True, "host": ""})
    assert read(tmp_path) == [(f"file {path}", {"client_id": "i"})]


@pytest.mark.parametrize("variable", ["XDG_CONFIG_HOME", "APPDATA"])
def test_the_flat_file_follows_the_systems_folder_for_settings(tmp_path, variable):
    inside = {"XDG_CONFIG_HOME": "anypoint-cli-v4-nodejs", "APPDATA": "anypoint-cli-v4-nodejs/Config"}[variable]
    write(tmp_path / "elsewhere" / inside / "config.json", {"client_id": "i"})
    ((_, values),) = read(tmp_path, **{variable: str(tmp_path / "elsewhere")})
    assert values == {"client_id": "i"}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            {"session.selectedOrganization.id": "o", "session.selectedEnvironment.id": "e"},
            {"organization": "o", "environment": "e"},
        ),
        ({"organization": "named", "session.selectedOrganization.id": "o"}, {"organization": "named"}),
    ],
)
def test_the_selected_session_counts_where_nothing_is_named(tmp_path, content, expected):
    write(tmp_path / V4_PLACES[0] / "config.json", content)
    ((_, values),) = read(tmp_path)
    assert values == expected


def test_the_newer_file_comes_before_the_older_ones_default(tmp_path):
    write(tmp_path / V4_PLACES[0] / "config.json", {"client_id": "newer"})
    write(credentials(tmp_path), {"default": {"client_id": "older"}, "other": {"client_id": "other"}, "collectMetrics": False})
    assert [values["client_id"] for _, values in read(tmp_path)] == ["newer", "older"]


def test_a_named_profile_stands_alone(tmp_path):
    write(tmp_path / V4_PLACES[0] / "config.json", {"client_id": "newer"})
    path = write(credentials(tmp_path), {"default": {"client_id": "older"}, "work": {"client_id": "w", "client_secret": "s"}})
    assert read(tmp_path, "work") == [(f"profile 'work' in {path}", {"client_id": "w", "client_secret": "s"})]


@pytest.mark.parametrize(
    ("content", "listed"),
    [
        ({"b": {}, "a": {}, "collectMetrics": True}, "profiles there: a, b"),
        ({}, "profiles there: none"),
        (None, "profiles there: none"),
    ],
)
def test_a_profile_that_is_not_there_lists_those_that_are(tmp_path, content, listed):
    if content is not None:
        write(credentials(tmp_path), content)
    with pytest.raises(ConfigError, match=listed) as caught:
        read(tmp_path, "work")
    assert "'local' for the embedded broker" in str(caught.value)


@pytest.mark.parametrize("content", ["{not json", '"text"', "[]", "\udcff"])
@pytest.mark.parametrize("place", [V4_PLACES[0] + "/config.json", ".anypoint/credentials"])
def test_a_file_that_is_not_what_the_cli_writes_is_named(tmp_path, content, place):
    path = tmp_path / place
    path.parent.mkdir(parents=True)
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(ConfigError) as caught:
        read(tmp_path)
    assert str(path) in str(caught.value)


def test_a_broken_file_is_named_without_its_content(tmp_path):
    write(credentials(tmp_path), '{"default": {"client_secret": "s3cret"')
    with pytest.raises(ConfigError, match="is not valid JSON; mend or remove it") as caught:
        read(tmp_path)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("value", [5, True, ["a"], {"a": 1}])
def test_a_setting_that_is_not_text_is_named_without_its_value(tmp_path, value):
    write(credentials(tmp_path), {"default": {"client_secret": value}})
    with pytest.raises(ConfigError, match=f"client_secret in .* must be a text, not {type(value).__name__}"):
        read(tmp_path)
