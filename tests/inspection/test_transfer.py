"""The content of a part under its transfer encoding: decoded in one way, or refused."""

import base64
import binascii
import quopri

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import BadUpstream, Code
from gateway.inspection.transfer import decode_base64, decoded


def refusal(text: bytes, encoding: str) -> Code:
    with pytest.raises(BadUpstream) as caught:
        decoded(text, encoding)
    return caught.value.code


@pytest.mark.parametrize("encoding", [None, "7bit", "8BIT", "Binary"])
def test_what_is_not_encoded_stays_as_it_is(encoding: str | None) -> None:
    assert decoded(b"=41\r\n\xff", encoding) == b"=41\r\n\xff"


@pytest.mark.parametrize("encoding", ["", "x-uuencode", "gzip", "base64 ", "utf-8"])
def test_another_encoding_is_not_read(encoding: str) -> None:
    """Catalogue A91."""
    assert refusal(b"abcd", encoding) is Code.MEMBER_UNSUPPORTED


@pytest.mark.parametrize(
    ("text", "content"),
    [
        (b"", b""),
        (b"a=3Db=\r\nc\r\n", b"a=bc\r\n"),
        (b"a=C3=A4=\nb", b"a\xc3\xa4b"),
        (b"a=20\nb", b"a \nb"),
        (b"a b\tc", b"a b\tc"),
    ],
)
def test_quoted_printable_is_decoded(text: bytes, content: bytes) -> None:
    assert decoded(text, "Quoted-Printable") == quopri.decodestring(text) == content


@pytest.mark.parametrize(
    "text", [b"=", b"=4", b"=4x", b"=c3", b"= \na", b"a \nb", b"a\t\r\nb", b"a ", b"\xff", b"a=\rb"]
)
def test_quoted_printable_that_readers_repair_is_refused(text: bytes) -> None:
    assert refusal(text, "quoted-printable") is Code.BODY_AMBIGUOUS


@pytest.mark.parametrize("text", [b"Y", b"YQ", b"YQ==YQ==", b"YR==", b"YQ== ", b"Y-_=", b"YWJj="])
def test_base64_with_anything_else_in_it_is_refused(text: bytes) -> None:
    assert refusal(text, "base64") is Code.BODY_MALFORMED
    with pytest.raises(BadUpstream):
        decode_base64(text)


@given(st.binary(max_size=200))
def test_what_was_encoded_is_decoded(data: bytes) -> None:
    assert decoded(base64.encodebytes(data), "BASE64") == data
    assert decoded(base64.encodebytes(data).replace(b"\n", b"\r\n"), "base64") == data
    assert decoded(binascii.b2a_qp(data, istext=False), "quoted-printable") == data
