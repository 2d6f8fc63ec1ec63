"""The member that tells that something was left out."""

import json

import pytest

from gateway.errors import BadUpstream, Code
from gateway.inspection import notice
from tests.support.containers import Shelf


def test_it_says_how_much_and_nothing_else() -> None:
    text = notice.text(12, 3)
    assert b"Records left out: 12\nMembers left out: 3\n" in text and text.isascii()


def test_it_is_known_again() -> None:
    assert notice.find(Shelf({"a": b"", "REMOVED.txt": notice.text(1, 0)}), "REMOVED.txt") == 2
    assert notice.find(Shelf({"a": b""}), "REMOVED.txt") is None


@pytest.mark.parametrize(
    "files",
    [
        {"REMOVED.txt": b"canary"},
        {"REMOVED.txt": notice.text(1, 0) + b"canary"},
        {"removed.TXT": notice.text(1, 0)},
        {"REMOVED.txt/a": b""},
        {"REMOVED.txt/": b""},
        {"REMOVED.txt.": notice.text(1, 0)},
        {"REMOVED.txt": notice.text(10**13, 0)},
    ],
)
def test_something_else_of_its_name_is_refused(files: dict[str, bytes]) -> None:
    with pytest.raises(BadUpstream) as caught:
        notice.find(Shelf(files), "REMOVED.txt")
    assert caught.value.code is Code.BODY_AMBIGUOUS


def test_in_json_it_is_a_member_and_known_again() -> None:
    member = b"{%b}" % notice.in_json("REMOVED.txt", 2)
    assert json.loads(member) == {"REMOVED.txt": {"records": 2, "reason": "withheld_by_policy"}}
    assert notice.is_in_json(json.loads(member)["REMOVED.txt"])
    assert not notice.is_in_json({"records": 2})
    assert not notice.is_in_json(2)
