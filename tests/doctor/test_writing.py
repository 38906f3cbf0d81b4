"""Answers go into a broker's TOML and a profile, and nothing else in these files changes."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from courier_nb import AsyncClient, ConfigError, ProbeReport
from courier_nb.broker import Switches, load_config
from courier_nb.cli.doctor import _write
from courier_nb.core.settings import Settings, resolve
from courier_nb.doctor.findings import Finding
from tests.unit.scripts import Script, reply

BROKER = """\
# my broker
[[queue]]
id = "orders"          # the only one

[switches]
zero_lock = "visible"  # as in SQS
hidden_body = "null"

[client]
client_id = "me"
client_secret = "s3cret-of-the-file"
"""


def finding(switch: str | None, *values: Any) -> Finding:
    verdict = "not found out" if not values else "agrees"
    return Finding(switch or "words", "?", "so" if values else "", switch, None, values, verdict)  # type: ignore[arg-type]


def report(*findings: Finding) -> ProbeReport:
    return ProbeReport("probe", findings)


KNOWN = report(
    finding("zero_lock", "default"),
    finding("lock_ttl_unit", "ms"),
    finding("exchange_read_status", 405),
    finding("stats_ids", 33),
    finding("dead_letter_created", "sqs", "keep"),
    finding("hidden_body"),
    finding(None, "words"),
)
CERTAIN = {"zero_lock": "default", "lock_ttl_unit": "ms", "exchange_read_status": 405, "stats_ids": 33}


def test_certain_answers_are_written_and_the_rest_of_the_file_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "broker.toml"
    path.write_text(BROKER)
    path.chmod(0o640)
    assert KNOWN.write_broker(path) == CERTAIN
    written = path.read_text()
    lines = written.splitlines()
    changed = [line for line in BROKER.splitlines() if line not in lines]
    assert changed == ['zero_lock = "visible"  # as in SQS']
    assert 'zero_lock = "default"  # as in SQS' in lines
    assert [line for line in lines if line not in BROKER.splitlines()] == [
        'zero_lock = "default"  # as in SQS',
        'lock_ttl_unit = "ms"',
        "exchange_read_status = 405",
        "stats_ids = 33",
    ]
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert load_config(path).switches == Switches(**CERTAIN, hidden_body="null")
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_without_switches_and_a_new_file_get_them(tmp_path: Path) -> None:
    old, new = tmp_path / "old.toml", tmp_path / "new.toml"
    old.write_text('[[queue]]\nid = "orders"\n')
    for path in (old, new):
        KNOWN.write_broker(path)
        assert load_config(path).switches == Switches(**CERTAIN)
    assert [queue.id for queue in load_config(old).queues] == ["orders"]


def test_writing_twice_changes_nothing_more(tmp_path: Path) -> None:
    path = tmp_path / "broker.toml"
    path.write_text(BROKER)
    KNOWN.write_broker(path)
    once = path.read_text()
    KNOWN.write_broker(path)
    assert path.read_text() == once


@pytest.mark.parametrize("content", ["not toml [", "[unknown]\nx = 1\n", "[switches]\nlock_ttl_unit = 'min'\n"])
def test_a_file_that_is_no_broker_s_is_refused_and_left_alone(tmp_path: Path, content: str) -> None:
    path = tmp_path / "broker.toml"
    path.write_text(content)
    with pytest.raises(ConfigError, match=r"broker\.toml"):
        KNOWN.write_broker(path)
    assert path.read_text() == content


def test_a_folder_that_is_not_there_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be written: No such file or directory"):
        KNOWN.write_broker(tmp_path / "nowhere" / "broker.toml")


PROFILES = {
    "default": {"client_id": "i", "client_secret": "s3cret", "host": ""},
    "work": {"username": "ü", "password": "p4ss", "extra": {"kept": [1, 2.5, None]}},
    "collectMetrics": True,
}


def credentials(home: Path, content: object = PROFILES) -> Path:
    path = home / ".anypoint" / "credentials"
    path.parent.mkdir()
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_the_unit_goes_into_the_profile_and_the_next_connection_uses_it(tmp_path: Path) -> None:
    path = credentials(tmp_path)
    path.chmod(0o600)
    assert KNOWN.write_profile("work", home=tmp_path) == "ms"
    written = json.loads(path.read_text())
    assert written.pop("work") == {**PROFILES["work"], "lock_ttl_unit": "ms"}  # type: ignore[dict-item]
    assert written == {name: value for name, value in PROFILES.items() if name != "work"}
    assert list(json.loads(path.read_text())) == list(PROFILES)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]
    settings = resolve("work", environ={}, home=tmp_path)
    assert settings.lock_ttl_unit == "ms"
    assert settings.sources["lock_ttl_unit"] == f"profile 'work' in {path}"
    assert resolve(environ={}, home=tmp_path).lock_ttl_unit == "s"


def test_a_link_to_the_profiles_stays_a_link(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.json"
    elsewhere.write_text(json.dumps(PROFILES))
    path = tmp_path / ".anypoint" / "credentials"
    path.parent.mkdir()
    path.symlink_to(elsewhere)
    KNOWN.write_profile("default", home=tmp_path)
    assert path.is_symlink()
    assert json.loads(elsewhere.read_text())["default"]["lock_ttl_unit"] == "ms"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "no profile 'home' .*profiles there: none"),
        (PROFILES, "no profile 'home' .*profiles there: default, work"),
        ("{broken", "is not JSON"),
        ("[]", "no profile 'home'"),
    ],
)
def test_a_profile_that_is_not_there_is_refused_and_nothing_is_written(tmp_path: Path, content: object, words: str) -> None:
    path = tmp_path / ".anypoint" / "credentials"
    if content is not None:
        credentials(tmp_path, content)
    before = path.read_bytes() if path.exists() else None
    with pytest.raises(ConfigError, match=words) as caught:
        KNOWN.write_profile("home", home=tmp_path)
    assert (path.read_bytes() if path.exists() else None) == before
    assert "s3cret" not in str(caught.value)


def test_a_unit_that_was_not_found_out_is_not_written(tmp_path: Path) -> None:
    path = credentials(tmp_path)
    before = path.read_bytes()
    with pytest.raises(ConfigError, match="was not found out"):
        report(finding("lock_ttl_unit")).write_profile("work", home=tmp_path)
    assert path.read_bytes() == before


def test_a_write_that_fails_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = credentials(tmp_path)
    before = path.read_bytes()

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(ConfigError, match="No space left on device"):
        KNOWN.write_profile("work", home=tmp_path)
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_the_command_says_for_each_place_what_was_written_or_why_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    credentials(tmp_path)
    missing = tmp_path / "nowhere" / "broker.toml"
    written, is_whole = _write(KNOWN, missing, "work")
    assert not is_whole
    assert written[str(missing)].startswith("nothing written: ")
    assert written["profile work"] == "lock_ttl_unit = ms"
    assert _write(KNOWN, tmp_path / "broker.toml", None) == (
        {str(tmp_path / "broker.toml"): ", ".join(f"{switch} = {value}" for switch, value in CERTAIN.items())},
        True,
    )


@pytest.mark.parametrize(
    ("setting", "keyword", "sent"), [("s", None, 60), ("ms", None, 60_000), ("ms", "s", 60), ("s", "ms", 60_000)]
)
@pytest.mark.anyio
async def test_the_unit_of_the_settings_is_what_lock_changes_are_sent_in(setting: Any, keyword: Any, sent: int) -> None:
    script = Script().always(reply(200, {"messageId": "m", "status": "successful"}))
    settings = Settings(
        auth="bearer", bearer="t", platform_url="https://platform.test", mq_url="https://mq.test/api/v1", lock_ttl_unit=setting,
        organization="11111111-2222-3333-4444-555555555555", environment="11111111-2222-3333-4444-555555555555",
    )  # fmt: skip
    async with AsyncClient(settings, transport=script.transport, lock_ttl_unit=keyword) as client:
        await client.destination("orders").extend_one("m", "lock", "1m")
    assert script.bodies() == [{"ttl": sent}]
