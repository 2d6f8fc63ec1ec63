"""base64url has one spelling for each value (B19)."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import base64url


@given(st.binary(max_size=200))
def test_what_an_encoder_writes_is_read_back(data: bytes) -> None:
    assert base64url.decode(base64.urlsafe_b64encode(data).rstrip(b"=")) == data


@given(st.binary(max_size=12))
def test_two_different_texts_never_mean_the_same_bytes(text: bytes) -> None:
    try:
        data = base64url.decode(text)
    except ValueError:
        return
    assert base64.urlsafe_b64encode(data).rstrip(b"=") == text


@pytest.mark.parametrize(
    "text",
    [
        b"YQ==",  # padding
        b"YQ=",
        b"=",
        b"YR",  # unused bits set
        b"YWJ",
        b"Y",  # no whole byte
        b"YWJj\n",  # whitespace
        b" YWJj",
        b"YW Jj",
        b"-_+/",  # the other alphabet
        b"YW!j",
        b"YWJj\x00",
        b"YW\xc3\xa4",
    ],
)
def test_other_spellings_are_refused(text: bytes) -> None:
    with pytest.raises(ValueError):
        base64url.decode(text)


@pytest.mark.parametrize(
    ("text", "data"),
    [(b"YQ", b"a"), (b"YWI", b"ab"), (b"YWJj", b"abc"), (b"-_-_", b"\xfb\xff\xbf")],
)
def test_the_canonical_spelling_is_read(text: bytes, data: bytes) -> None:
    assert base64url.decode(text) == data
