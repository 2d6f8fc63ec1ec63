"""How a document is written in a text: one reading of each way."""

import base64
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import BadUpstream, Code
from gateway.inspection.textwritings import decoded
from gateway.inspection.writable import Transfer


def written(content: bytes, transfer: Transfer) -> str:
    match transfer:
        case "base64":
            return base64.b64encode(content).decode()
        case "base64url":
            return base64.urlsafe_b64encode(content).decode()
        case "hex":
            return content.hex()
        case "data":
            return "data:application/json;base64," + base64.b64encode(content).decode()


@given(st.binary(max_size=200), st.sampled_from(get_args(Transfer)))
def test_what_was_written_is_what_is_read(content: bytes, transfer: Transfer) -> None:
    text = written(content, transfer)
    assert decoded(text, transfer, ("application/json",)) == content
    assert decoded(text, None) == text.encode()


def test_spellings_that_are_one_reading_pass() -> None:
    assert decoded("QUJD\r\nREVG\n", "base64") == b"ABCDEF"
    assert decoded("-_-_", "base64url") == decoded("+/+/", "base64")
    assert decoded("QQ", "base64url") == decoded("QQ==", "base64url") == b"A"
    assert decoded("41fF", "hex") == b"A\xff"
    assert decoded("data:text/csv;charset=UTF-8;base64,QQ==", "data", ("text/csv",)) == b"A"
    assert decoded("data:image/png;base64,QQ==", "data") == b"A"


@pytest.mark.parametrize(
    ("text", "transfer"),
    [
        ("QUJD ", "base64"), ("QQ", "base64"), ("QR==", "base64"), ("QQ==QQ==", "base64"),
        ("-_-_", "base64"), ("QUJ\tD", "base64"), ("\u00e9", "base64"),
        ("+/+/", "base64url"), ("QQ=", "base64url"), ("QR", "base64url"), ("Q", "base64url"),
        ("QUJD\n", "base64url"),
        ("abc", "hex"), ("0x41", "hex"), ("41 42", "hex"), ("\uff14\uff11", "hex"),
        ("QQ==", "data"), ("data:text/csv,a", "data"), ("data:;base64,QQ==", "data"),
        ("data:text/csv;charset=utf-16;base64,QQ==", "data"), ("DATA:text/csv;base64,QQ==", "data"),
        ("data:text/csv;base64;base64,QQ==", "data"), ("data:text/csv;base64,%51%51==", "data"),
    ],
)  # fmt: skip
def test_what_readers_skip_or_repair_is_refused(text: str, transfer: Transfer) -> None:
    with pytest.raises(BadUpstream) as caught:
        decoded(text, transfer)
    assert caught.value.code is Code.BODY_MALFORMED


def test_a_data_uri_of_another_type_is_refused() -> None:
    with pytest.raises(BadUpstream) as caught:
        decoded("data:text/html;base64,QQ==", "data", ("text/csv",))
    assert caught.value.code is Code.FORMAT_MISMATCH
