"""Lists of addresses: one reading, or none."""

import email
import email.policy
import email.utils

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import BadUpstream, Code
from gateway.inspection.mailaddresses import read_addresses

READABLE = {
    "me@x.org": ["me@x.org"],
    "<me@x.org>": ["me@x.org"],
    " me@x.org , b@y ": ["me@x.org", "b@y"],
    "Jane <me@x.org>": ["me@x.org"],
    "Jane<me@x.org>": ["me@x.org"],
    "John Q. Public <me@x.org>": ["me@x.org"],
    '"Doe, Jane" <me@x.org>, b@y': ["me@x.org", "b@y"],
    '"Doe \\"J\\" Jane" <me@x.org>': ["me@x.org"],
    '"me@x.org" <me@x.org>': ["me@x.org"],
    "J\u00fcrgen <me@x.org>": ["me@x.org"],
    "=?utf-8?q?J=C3=BCrgen?= <me@x.org>": ["me@x.org"],
    "=?utf-8?Q?M=C3=BCller=2C_J=C3=BCrgen?= <me@x.org>": ["me@x.org"],
    "=?ISO-8859-1?B?SvxyZ2Vu?= Doe <me@x.org>": ["me@x.org"],
    "=?iso-2022-jp?B?GyRCOjRGIxsoQg==?= <me@x.org>": ["me@x.org"],
    "me+tag!#$%&'*/?=^_`{|}~-@x-y.org": ["me+tag!#$%&'*/?=^_`{|}~-@x-y.org"],
    "ME@X.ORG, me@x.org": ["ME@X.ORG", "me@x.org"],
    "undisclosed-recipients:;": [],
    "undisclosed recipients: ;": [],
}

UNREADABLE = [
    "",
    " ",
    "me",
    "me@",
    "@x.org",
    "me@x.org,",
    ",me@x.org",
    "a@x,,b@y",
    "a@x b@y",
    "a@x;b@y",
    "me@x.org (Jane)",
    "(foreign@x.org) me@x.org",
    "me(comment)@x.org",
    "friends: a@x, b@y;",
    "a@x, undisclosed-recipients:;",
    "<@relay:me@x.org>",
    "<me@x.org",
    "me@x.org>",
    "<<me@x.org>>",
    "<>",
    "a@x <me@x.org>",
    "'a@x' <me@x.org>",
    '"me"@x.org',
    '"me@x.org"@y.org',
    '"unclosed <me@x.org>',
    '"a"b <me@x.org>',
    "me@[127.0.0.1]",
    "me @x.org",
    "me@ x.org",
    "me..you@x.org",
    ".me@x.org",
    "me.@x.org",
    "me@x..org",
    "me@x.org.",
    "m\u00fc@x.org",
    "me@\u00fc.org",
    "me\uff20x.org",
    '"foreign@x.org, b" <me@x.org>',
    '"<foreign@x.org>" <me@x.org>',
    '"foreign@x.org;" <me@x.org>',
    "=?utf-8?q?foreign=40x.org?= <me@x.org>",
    "=?utf-8?b?Zm9yZWlnbkB4Lm9yZywg?= <me@x.org>",
    "=?utf-8?q?a_=3Cb=3E?= <me@x.org>",
    "=?utf-8?q?a=0Ab?= <me@x.org>",
    "=?utf-8?q?a=22?= <me@x.org>",
    "=?utf-7?q?foreign+AEA-x.org?= <me@x.org>",
    "=?utf-8?q?unclosed <me@x.org>",
    "=?utf-8?b?%%%?= <me@x.org>",
    "=?utf-8?b?/w==?= <me@x.org>",
    "=?unknown?q?a?= <me@x.org>",
    "=?utf-8?q?me?=@x.org",
    "=?utf-8?q?foreign=40y=2Eorg=2C?=me@x.org",
    # CVE-2023-27043, CVE-2019-16056
    "alice@example.org)bob@example.com",
    "alice@example.org(<bob@example.com>",
    "alice@example.org,<bob@example.com",
    "alice@example.org<bob@example.com>",
    "alice@example.org\\bob@example.com",
    'alice@example.org"bob@example.com',
    "alice@example.org[bob@example.com",
    "alice@malicious.org@important.com",
]


@pytest.mark.parametrize(("text", "found"), READABLE.items())
def test_addresses_are_exact(text: str, found: list[str]) -> None:
    assert read_addresses(text) == found


@pytest.mark.parametrize("text", UNREADABLE)
def test_what_readers_take_differently_is_refused(text: str) -> None:
    with pytest.raises(BadUpstream) as caught:
        read_addresses(text)
    assert caught.value.code is Code.BODY_AMBIGUOUS


@pytest.mark.parametrize("text", READABLE)
def test_the_standard_library_finds_the_same_addresses(text: str) -> None:
    ours = read_addresses(text)
    assert [address for _, address in email.utils.getaddresses([text]) if address] == ours
    message = email.message_from_bytes(f"To: {text}\n\n".encode(), policy=email.policy.default)
    assert [each.addr_spec for each in message["To"].addresses] == ours


@pytest.mark.parametrize(
    "text", ['"' * 99_999, "@" * 99_999, "=?" * 50_000, "a " * 50_000, "a@x," * 50_000 + "("]
)
def test_a_long_list_takes_linear_time(text: str) -> None:
    with pytest.raises(BadUpstream):
        read_addresses(text)


ATOM = st.from_regex(r"[A-Za-z0-9+_-]{1,9}", fullmatch=True)
ADDRESS = st.builds("{}@{}.org".format, ATOM, ATOM)
NAME = st.one_of(st.just(""), ATOM, st.from_regex(r'"[A-Za-z,.;:() ]{0,9}"', fullmatch=True))


@given(st.lists(st.tuples(NAME, ADDRESS), min_size=1, max_size=6))
def test_what_was_written_is_read(mailboxes: list[tuple[str, str]]) -> None:
    text = ", ".join(f"{name} <{address}>" if name else address for name, address in mailboxes)
    assert read_addresses(text) == [address for _, address in mailboxes]
    assert [found for _, found in email.utils.getaddresses([text])] == read_addresses(text)
