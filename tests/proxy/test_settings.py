from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from gateway.proxy.settings import Address, ProxySettings, check_upstream, parse_address

ADAPTER = TypeAdapter(ProxySettings)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:8080", Address("127.0.0.1", 8080)),
        ("localhost:0", Address("localhost", 0)),
        ("[::1]:8080", Address("::1", 8080)),
        ("0.0.0.0:65535", Address("0.0.0.0", 65535)),
    ],
)
def test_an_address_is_a_host_and_a_port(text: str, address: Address) -> None:
    assert parse_address(text) == address
    assert str(address) == text


@pytest.mark.parametrize(
    "text", ["", "8080", ":8080", "127.0.0.1", "::1:8080", "a b:80", "a:65536", "a:80/", "a:x", 80]
)
def test_anything_else_is_no_address(text: object) -> None:
    with pytest.raises(ValueError, match="expected an address"):
        parse_address(text)


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("http://127.0.0.1:3000", "http://127.0.0.1:3000"),
        ("http://127.0.0.1:3000/", "http://127.0.0.1:3000"),
        ("https://export.internal", "https://export.internal"),
        ("http://[::1]:3000", "http://[::1]:3000"),
    ],
)
def test_an_upstream_is_a_scheme_a_host_and_a_port(url: str, base: str) -> None:
    assert check_upstream(url) == base


@pytest.mark.parametrize(
    "url",
    [
        "",
        "127.0.0.1:3000",
        "ftp://a",
        "http://",
        "http://a:0",
        "http://a:99999",
        "http://me:secret@a",
        "http://me@a",
        "http://a/prefix",
        "http://a//",
        "http://a?b",
        "http://a/?",
        "http://a#b",
        "http://a b",
        "http://[::1",
        "http://münchen.test",
        "unix:/run/app.sock",
    ],
)
def test_anything_else_is_no_upstream(url: str) -> None:
    with pytest.raises(ValueError, match=r"URL|expected|credentials"):
        check_upstream(url)


def test_a_secret_in_a_url_is_not_repeated() -> None:
    with pytest.raises(ValueError, match="credentials") as caught:
        check_upstream("http://me:hunter2@a")
    assert "hunter2" not in str(caught.value)


def test_a_bare_url_will_do() -> None:
    read = ADAPTER.validate_python({"listen": "127.0.0.1:1", "upstream": "http://a:2/"})
    assert (read.listen, read.upstream.url) == (Address("127.0.0.1", 1), "http://a:2")
    assert (read.upstream.connect, read.upstream.read, read.upstream.total) == (5.0, 30.0, 600.0)


def test_every_setting_takes_its_unit() -> None:
    read = ADAPTER.validate_python(
        {
            "listen": "127.0.0.1:1",
            "upstream": {"url": "https://a", "ca_file": "ca.pem", "connect": "250ms"},
            "client": {"idle": "1m", "limits": {"target": "4KiB", "fields": 10, "body": "1GiB"}},
        }
    )
    assert (read.upstream.ca_file, read.upstream.connect) == (Path("ca.pem"), 0.25)
    assert (read.client.idle, read.client.limits.target) == (60.0, 4096)
    assert read.client.limits.body == 2**30


@pytest.mark.parametrize(
    "wrong",
    [
        {"listen": "127.0.0.1"},
        {"upstream": {"url": "http://a", "retries": 3}},
        {"client": {"idle": "0s"}},
        {"client": {"idle": 30}},
        {"client": {"exchanges": 0}},
        {"client": {"limits": {"fields": 0}}},
        {"client": {"limits": {"target": "1MiB"}}},
        {"proxy": True},
    ],
)
def test_what_cannot_be_meant_is_an_error(wrong: dict[str, object]) -> None:
    sound = {"listen": "127.0.0.1:1", "upstream": "http://a"}
    ADAPTER.validate_python(sound)
    with pytest.raises(ValidationError):
        ADAPTER.validate_python(sound | wrong)
