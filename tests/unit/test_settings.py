from __future__ import annotations

import copy
import json
import pickle
from pathlib import Path

import pytest

from courier_nb.core.checks import as_given, check_url, is_loopback
from courier_nb.core.errors import ConfigError
from courier_nb.core.places import ENVIRONMENT, places
from courier_nb.core.settings import Settings, resolve

APP = {"client_id": "id-of-app", "client_secret": "secret-of-app"}


def resolved(home: Path, environ: dict[str, str] | None = None, profile: str | None = None, **keywords: str | None) -> Settings:
    return resolve(profile, keywords=keywords, environ=environ or {}, home=home)


def write_credentials(home: Path, **profiles: object) -> Path:
    path = home / ".anypoint" / "credentials"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(profiles))
    return path


def test_a_keyword_wins_over_the_environment_and_the_environment_over_the_file(tmp_path):
    path = write_credentials(
        tmp_path, default={**APP, "organization": "of-file", "environment": "of-file", "host": "of-file.test"}
    )
    environ = {"ANYPOINT_ORG": "of-environ", "ANYPOINT_ENV": "of-environ"}
    found = resolved(tmp_path, environ, organization="of-keyword", environment=None)
    assert (found.organization, found.environment, found.platform_url) == ("of-keyword", "of-environ", "https://of-file.test")
    assert found.sources["organization"] == "keyword"
    assert found.sources["environment"] == "environment variable ANYPOINT_ENV"
    assert found.sources["host"] == f"profile 'default' in {path}"


OTHERS = {
    "username": {"password": "p"},
    "password": {"username": "u"},
    "client_id": {"client_secret": "s"},
    "client_secret": {"client_id": "i"},
    "bearer": {},
}
VALUES = {
    "auth": "client_app",
    "host": "h.test",
    "mq_url": "https://mq.test/api/v1",
    "lock_ttl_unit": "ms",
    "read_only": "true",
    "production": "false",
    "journal": "off",
}


@pytest.mark.parametrize("name", sorted(ENVIRONMENT))
def test_every_setting_can_be_given_in_each_place(tmp_path, name):
    given = {**OTHERS.get(name, APP), name: VALUES.get(name, "x")}
    write_credentials(tmp_path, p=given)
    found = [
        resolved(tmp_path, profile="p"),
        resolved(tmp_path, **given),
        resolved(tmp_path, {ENVIRONMENT[key]: value for key, value in given.items()}),
    ]
    assert [settings.sources[name].split()[0] for settings in found] == ["profile", "keyword", "environment"]
    assert {as_given(name, getattr(settings, name)) for settings in found if name != "host"} <= {given[name]}
    assert len({settings.platform_url for settings in found}) == 1


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        (APP, "auto"),
        ({**APP, "auth": "auto"}, "auto"),
        ({**APP, "auth": "client_app"}, "client_app"),
        ({**APP, "auth": "connected_app"}, "connected_app"),
        ({"username": "u", "password": "p"}, "user"),
        ({"bearer": "b"}, "bearer"),
        ({**APP, "bearer": "b"}, "bearer"),
        ({**APP, "bearer": "b", "auth": "connected_app"}, "connected_app"),
    ],
)
def test_the_kind_of_credential_is_what_was_given(tmp_path, given, kind):
    found = resolved(tmp_path, **given)
    assert found.auth == kind
    assert (found.bearer is not None) == (kind == "bearer")
    assert (found.client_secret is not None) == (kind in ("auto", "client_app", "connected_app"))


def test_the_closest_place_decides_the_kind_of_credential(tmp_path):
    write_credentials(tmp_path, default={"bearer": "of-file"})
    found = resolved(tmp_path, {"ANYPOINT_CLIENT_ID": "i", "ANYPOINT_CLIENT_SECRET": "s"})
    assert (found.auth, found.bearer) == ("auto", None)


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({}, "client_id"),
        ({"client_id": "i"}, "client_secret"),
        ({"client_secret": "s"}, "client_id"),
        ({"username": "u"}, "password"),
        ({"password": "p"}, "username"),
        ({"auth": "bearer"}, "bearer"),
    ],
)
def test_a_missing_credential_names_every_place_where_it_may_be_given(tmp_path, given, missing):
    with pytest.raises(ConfigError) as caught:
        resolved(tmp_path, **given)
    assert caught.value.setting == missing
    assert caught.value.places == places(missing)
    for place in (f"connect({missing}=", ENVIRONMENT[missing], "~/.anypoint/credentials", "config.json"):
        assert place in str(caught.value)


def test_an_unknown_unit_of_lock_changes_lists_the_known_ones(tmp_path):
    with pytest.raises(ConfigError, match="lock_ttl_unit is 'min', expected one of s, ms"):
        resolved(tmp_path, **APP, lock_ttl_unit="min")


def test_an_unknown_kind_of_credential_lists_the_known_ones(tmp_path):
    with pytest.raises(ConfigError, match="expected one of auto, client_app, connected_app, user, bearer"):
        resolved(tmp_path, **APP, auth="password")


@pytest.mark.parametrize(
    ("mq_url", "platform"),
    [
        ("https://mq-us-east-1.anypoint.mulesoft.com/api/v1", "https://anypoint.mulesoft.com"),
        ("https://mq-eu-central-1.eu1.anypoint.mulesoft.com", "https://eu1.anypoint.mulesoft.com"),
        ("http://127.0.0.1:8080/api/v1", "http://127.0.0.1:8080"),
        ("http://localhost:9", "http://localhost:9"),
        (None, "https://anypoint.mulesoft.com"),
    ],
)
def test_the_platform_is_derived_from_the_broker(tmp_path, mq_url, platform):
    assert resolved(tmp_path, **APP, mq_url=mq_url).platform_url == platform


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("https://mq.test", "https://mq.test/api/v1"),
        ("https://mq.test/", "https://mq.test/api/v1"),
        ("https://mq.test/x/", "https://mq.test/x"),
    ],
)
def test_a_broker_url_without_a_path_gets_the_documented_one(tmp_path, given, expected):
    assert resolved(tmp_path, **APP, mq_url=given).mq_url == expected


def test_a_broker_given_more_closely_than_the_host_keeps_the_credentials_away_from_that_host(tmp_path):
    write_credentials(tmp_path, default={**APP, "host": "of-profile.test"})
    found = resolved(tmp_path, {"ANYPOINT_MQ_URL": "http://127.0.0.1:7000/api/v1"})
    assert found.platform_url == "http://127.0.0.1:7000"


@pytest.mark.parametrize("place", ["keyword", "environ"])
def test_a_host_given_as_closely_as_the_broker_counts(tmp_path, place):
    both = {"host": "h.test", "mq_url": "https://mq.test/api/v1"}
    keywords = both if place == "keyword" else {}
    environ = {ENVIRONMENT[name]: value for name, value in both.items()} if place == "environ" else {}
    assert resolved(tmp_path, environ, **APP, **keywords).platform_url == "https://h.test"


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/api/v1", "http://[::1]:1/api", "http://localhost/x", "https://any.test/x"])
def test_plain_http_is_for_this_machine_only(url):
    assert check_url(f"{url}/", "mq_url") == url


@pytest.mark.parametrize(
    "url",
    ["http://mq.test", "http://127.0.0.1.test", "http://10.0.0.1", "http://0.0.0.0", "http://[2001:db8::1]/", "HTTP://mq.test"],
)
def test_no_secret_travels_in_clear_to_another_machine(url):
    with pytest.raises(ConfigError, match="plain http would send the credentials in clear"):
        check_url(url, "mq_url")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "mq.test",
        "ftp://mq.test",
        "https://",
        "file:///etc/passwd",
        "https://[::1",
        "https://mq.test:port",
        "https://mq.test:99999",
    ],
)
def test_what_is_no_url_is_refused(url):
    with pytest.raises(ConfigError, match=r"not an http\(s\) URL"):
        check_url(url, "mq_url")


@pytest.mark.parametrize("url", ["https://user@mq.test", "https://u:p@mq.test", "https://mq.test?x=1", "https://mq.test#x"])
def test_a_url_holds_no_user_query_or_fragment(url):
    with pytest.raises(ConfigError, match="no user name, query or fragment"):
        check_url(url, "host")


@pytest.mark.parametrize(
    ("host", "expected"), [("127.9.9.9", True), ("[::1]", True), ("localhost", True), ("localhost.test", False)]
)
def test_loopback_is_this_machine(host, expected):
    assert is_loopback(host) is expected


def test_secrets_are_neither_shown_nor_pickled(tmp_path):
    found = resolved(tmp_path, **APP)
    assert "secret-of-app" not in repr(found)
    assert "id-of-app" not in repr(found)
    for duplicate in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError, match=r"connect\(\)"):
            duplicate(found)
