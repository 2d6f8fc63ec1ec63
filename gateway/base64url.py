"""base64url as JOSE writes it (RFC 7515 section 2): no padding, and one spelling for each value."""

import binascii

_TO_BASE64 = bytes.maketrans(b"-_+/=", b"+/!!!")
_PADDING = {0: b"", 2: b"==", 3: b"="}
_LAST = {0: b"", 2: b"AQgw", 3: b"AEIMQUYcgkosw048"}
"""Remainder → the characters whose unused bits are zero; any other one is a second spelling."""


def decode(text: bytes) -> bytes:
    """Raises ValueError for padding, whitespace, foreign characters and non-canonical endings."""
    remainder = len(text) % 4
    if remainder == 1 or (remainder and text[-1] not in _LAST[remainder]):
        raise ValueError("not canonical base64url")
    return binascii.a2b_base64(text.translate(_TO_BASE64) + _PADDING[remainder], strict_mode=True)
