"""Lists of addresses as mail headers write them (RFC 5322 section 3.4), read in one way only.

    Jane Doe <jane@example.org>, "Doe, John" <john@example.org>, me@example.org

Addresses are exact: nothing is folded, decoded or repaired. Readers have gone wrong on all of
comments, groups, routes, quoted local parts, domain literals and bytes beyond ASCII in an address
(CVE-2023-27043 is one of many), and those that decode encoded words (RFC 2047) before they look for
addresses find some that no sender wrote. Where any of these stands, or a name could itself be taken
for a list of addresses, the list is refused.
"""

import binascii
import quopri
import re

from gateway.errors import BadUpstream, Code

_TEXT = r"A-Za-z0-9!#$%&'*+/=?^_`{|}~\-"
_ADDRESS = rf"[{_TEXT}]++(?:\.[{_TEXT}]++)*+@[{_TEXT}]++(?:\.[{_TEXT}]++)*+"
# Any but controls, spaces and the specials of RFC 5322 section 3.2.3; a dot may stand in it.
_WORD = r'(?:[^\x00-\x20"(),:;<>@\[\\\]\x7f]++|"(?:[^"\\]|\\["\\])*+")'
_NAME = rf"{_WORD}(?:[ \t]++{_WORD})*+"
_MAILBOX = re.compile(
    rf"[ \t]*+(?:(?P<bare>{_ADDRESS})|(?P<name>{_NAME})?+[ \t]*+<(?P<angle>{_ADDRESS})>)"
    rf"[ \t]*+(?=,|\Z)"
)
_NOBODY = re.compile(rf"[ \t]*+{_NAME}[ \t]*+:[ \t]*+;[ \t]*+")
_ENCODED = re.compile(r"=\?([A-Za-z0-9_-]{1,40})\?([BbQq])\?([!->@-~]{0,1000})\?=")
_CHARSETS = re.compile(
    r"utf-8|us-ascii|iso-8859-(?:[1-9]|1[013-6])|windows-125[0-8]|koi8-[ru]|gb2312|gbk|gb18030|big5|"
    r"euc-(?:jp|kr)|iso-2022-(?:jp|kr)|shift_jis|ks_c_5601-1987"
)
_TELLING = re.compile(r'[@<>"\\\x00-\x1f\x7f]')


def read_addresses(text: str) -> list[str]:
    """The addresses of an unfolded field; none where it says that it keeps them to itself.

    `undisclosed-recipients:;` is such a field. Raises BadUpstream(BODY_AMBIGUOUS).
    """
    if _NOBODY.fullmatch(text):
        return []
    found: list[str] = []
    at = 0
    while True:
        mailbox = _MAILBOX.match(text, at)
        if mailbox is None:
            raise _ambiguous("a list of addresses that readers take differently")
        address = mailbox["bare"] or mailbox["angle"]
        if "=?" in address:
            raise _ambiguous("an encoded word in an address")
        _check_name(mailbox["name"] or "")
        found.append(address)
        if mailbox.end() == len(text):
            return found
        at = mailbox.end() + 1


def _check_name(name: str) -> None:
    """That no reader finds another address in a name."""
    if "<" in name or ">" in name or ("@" in name and ("," in name or ";" in name)):
        raise _ambiguous("a name that could be a list of addresses")
    if "=?" not in name:
        return
    if "=?" in _ENCODED.sub("", name):
        raise _ambiguous("an encoded word that readers take differently")
    if any(_TELLING.search(_decoded(*word.groups())) for word in _ENCODED.finditer(name)):
        raise _ambiguous("an encoded word that could be an address")


def _decoded(charset: str, encoding: str, text: str) -> str:
    if not _CHARSETS.fullmatch(charset.lower()):
        raise _ambiguous("an encoded word in a charset that is not read")
    try:
        if encoding in "Bb":
            data = binascii.a2b_base64(text, strict_mode=True)
        else:
            data = quopri.decodestring(text, header=True)
        return data.decode(charset)
    except (ValueError, LookupError):
        raise _ambiguous("an encoded word that readers take differently") from None


def _ambiguous(note: str) -> BadUpstream:
    return BadUpstream(Code.BODY_AMBIGUOUS, note)
