"""Locations: a path or a URL, told apart in one way."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from gateway.locations import Location, check_url, is_url

LOCATION: TypeAdapter[Any] = TypeAdapter(Location)


@pytest.mark.parametrize("path", ["policies", "/srv/bundle.tar.gz", "./a:b", "C:/x"])
def test_a_path_is_a_path(path: str) -> None:
    assert LOCATION.validate_python(path) == Path(path)


@pytest.mark.parametrize("url", ["https://b.example.org/b.tar.gz", "http://[::1]:80/", "s3://b"])
def test_a_url_stays_as_it_is(url: str) -> None:
    assert LOCATION.validate_python(url) == url
    assert is_url(url)


@pytest.mark.parametrize("wrong", ["", "a\nb", "a\0b", "x" * 1025, 7, None, ["policies"]])
def test_anything_else_is_refused(wrong: Any) -> None:
    with pytest.raises(ValidationError):
        LOCATION.validate_python(wrong)


def said(url: str, *, allow_http: bool = False) -> str:
    with pytest.raises(ValueError, match=r"^\S") as refusal:
        check_url(url, "bundle", allow_http=allow_http, insecure="is read by everybody")
    return str(refusal.value)


@pytest.mark.parametrize(
    "url",
    ["https://b.example.org/x?a=1", "http://127.0.0.1:1/", "http://localhost/", "http://[::1]/"],
)
def test_https_and_loopback_are_taken(url: str) -> None:
    check_url(url, "bundle", allow_http=False, insecure="")


def test_plain_http_is_taken_where_the_network_is_vouched_for() -> None:
    assert said("http://b.example.org/") == "bundle over plain http is read by everybody"
    check_url("http://b.example.org/", "bundle", allow_http=True, insecure="")


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("ftp://b.example.org/", "is an https:// URL"),
        ("https:///x", "is an https:// URL"),
        ("https://b.example.org:0/", "is an https:// URL"),
        ("https://b.example.org:99999/", "Port out of range"),
        ("https://name:secret@b.example.org/", "no credentials"),
        ("https://b.example.org/#x", "no fragment"),
    ],
)
def test_odd_urls_are_refused_without_being_quoted(url: str, says: str) -> None:
    told = said(url, allow_http=True)
    assert says in told
    assert "secret" not in told
