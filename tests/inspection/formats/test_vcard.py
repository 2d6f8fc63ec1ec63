"""vCard: each card is one record, and what readers of it take differently is refused."""

import zipfile
from pathlib import Path

import pytest
import vobject
from hypothesis import given, settings
from hypothesis import strategies as st
from icalendar import Component

from gateway.errors import BadUpstream, Code
from gateway.inspection.formats import vcard
from gateway.inspection.settings import BodySpec, Limits
from gateway.model import Counts, SubjectRef
from gateway.model import Format as Name
from tests.support.reading import Format, permit

CARDS = Format(vcard)
ME = SubjectRef("email", "me@example.org")
BY_EMAIL = BodySpec(Name.VCARD, subject=({"email": ("EMAIL",)},))


def card(*lines: str, version: str = "3.0", end: str = "\r\n") -> bytes:
    text = ["BEGIN:VCARD", f"VERSION:{version}", "FN:Name", "N:Name;;;;", *lines, "END:VCARD", ""]
    return end.join(text).encode()


MINE, FOREIGN = card("EMAIL:me@example.org"), card("EMAIL:you@example.org")


def read_by_vobject(body: bytes) -> list[str]:
    found = vobject.readComponents(body.decode())
    return [each.email.value for each in found]


def read_by_icalendar(body: bytes) -> list[str]:
    return [str(each["EMAIL"]) for each in Component.from_ical(body, multiple=True)]


def test_each_card_is_a_record() -> None:
    body = MINE + FOREIGN + MINE
    assert CARDS.owners(body, BY_EMAIL) == {("me@example.org",): 2, ("you@example.org",): 1}
    kept, counts = CARDS.rewrite(body, BY_EMAIL, permit(ME))
    assert (kept, counts) == (MINE * 2, Counts(seen=3, released=2, redacted=1))
    assert read_by_vobject(kept) == read_by_icalendar(kept) == ["me@example.org"] * 2
    assert CARDS.owners(b"", BY_EMAIL) == {}


def test_fields_are_the_names_of_properties() -> None:
    fields = CARDS.inspect(card("item1.tel;TYPE=home:1"), BY_EMAIL).fields
    assert fields == ("FN", "N", "TEL", "VERSION")


def test_an_owner_is_found_in_a_group_with_parameters_and_folds() -> None:
    body = card('item1.email;TYPE="a:b",home;PREF=1:me@exam\r\n ple.org')
    assert CARDS.owners(body, BY_EMAIL) == {("me@example.org",): 1}
    assert CARDS.rewrite(body, BY_EMAIL, permit(ME))[0] == body


def test_a_card_with_several_addresses_has_several_owners() -> None:
    body = card("EMAIL:me@example.org", "EMAIL:you@example.org")
    assert CARDS.owners(body, BY_EMAIL) == {("me@example.org", "you@example.org"): 1}
    assert CARDS.rewrite(body, BY_EMAIL, permit(ME))[0] == b""


@pytest.mark.parametrize(
    "email",
    [" me@example.org", "me@example.org ", "ME@example.org", "me@example.org\u200b",
     "ｍe@example.org", "mailto:me@example.org", "me@example.or",
     "me@example.org."],
)  # fmt: skip
def test_an_owner_is_exact(email: str) -> None:
    """Catalogue A94."""
    body = card(f"EMAIL:{email}")
    assert CARDS.owners(body, BY_EMAIL) == {(email,): 1}
    assert CARDS.rewrite(body, BY_EMAIL, permit(ME))[0] == b""


@pytest.mark.parametrize("line", ["EMAIL:", "X-A:1", "EMAIL;TYPE=me@example.org:"])
def test_a_card_without_an_address_is_nobody_s(line: str) -> None:
    """Catalogue A93."""
    assert CARDS.owners(card(line), BY_EMAIL) == {(): 1}
    assert CARDS.rewrite(card(line), BY_EMAIL, permit(ME))[0] == b""


def test_a_mention_is_no_owner() -> None:
    body = card("NOTE:write to EMAIL:me@example.org", "X-EMAIL:me@example.org")
    assert CARDS.owners(body, BY_EMAIL) == {(): 1}
    assert CARDS.rewrite(body, BY_EMAIL, permit(ME))[0] == b""


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        (["BEGIN:VCARD", "END:VCARD"], Code.BODY_AMBIGUOUS),
        (["AGENT:", "BEGIN:X", "END:X"], Code.BODY_AMBIGUOUS),
        (["begin:vcard"], Code.BODY_AMBIGUOUS),
        (["VERSION:3.0"], Code.BODY_MALFORMED),
        (["version;X=1:3.0"], Code.BODY_AMBIGUOUS),
        (["NOTE;CHARSET=ISO-8859-1:a"], Code.BODY_AMBIGUOUS),
        (["NOTE;ENCODING=QUOTED-PRINTABLE:a"], Code.BODY_AMBIGUOUS),
        (["NOTE;QUOTED-PRINTABLE:a"], Code.BODY_MALFORMED),
        (["EMAIL;ENCODING=b:bWU="], Code.BODY_AMBIGUOUS),
        (["EMAIL:a\\,b"], Code.BODY_AMBIGUOUS),
        (["TEL;CELL:1"], Code.BODY_MALFORMED),
        (["NOTE"], Code.BODY_MALFORMED),
        ([""], Code.BODY_AMBIGUOUS),
        (["NO", " TE:a"], Code.BODY_AMBIGUOUS),
    ],
)
def test_what_readers_take_differently_is_refused(lines: list[str], code: Code) -> None:
    assert CARDS.refusal(MINE + card(*lines), BY_EMAIL) is code
    assert CARDS.refusal(card(*lines), BY_EMAIL) is code
    assert CARDS.owners(MINE + card("NOTE:a"), BY_EMAIL) == {("me@example.org",): 1, (): 1}


@pytest.mark.parametrize("version", ["2.0", "3", "", " 3.0", "5.0"])
def test_another_version_is_malformed(version: str) -> None:
    assert CARDS.refusal(card(version=version), BY_EMAIL) is Code.BODY_MALFORMED
    for known in ("2.1", "3.0", "4.0"):
        assert CARDS.owners(card(version=known), BY_EMAIL) == {(): 1}


def test_nothing_but_cards_is_read() -> None:
    calendar = b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nEND:VCALENDAR\r\n"
    assert CARDS.refusal(MINE + calendar, BY_EMAIL) is Code.BODY_MALFORMED
    assert CARDS.refusal(MINE[:-2] + FOREIGN, BY_EMAIL) is Code.BODY_MALFORMED
    assert CARDS.refusal(MINE[:-12], BY_EMAIL) is Code.BODY_INCOMPLETE
    assert CARDS.owners(MINE[:-2], BY_EMAIL) == {("me@example.org",): 1}


@pytest.mark.parametrize(
    "line",
    ["TEL;CELL;PREF:1", "N;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:=C3=A9;a b",
     "NOTE;QUOTED-PRINTABLE:a=0D=0Ab", "PHOTO;ENCODING=BASE64;JPEG:AAAA\r\n BBBB",
     "NOTE;CHARSET=US-ASCII:a"],
)  # fmt: skip
def test_vcard_2_1_is_read_where_all_readers_agree(line: str) -> None:
    body = card(line, "EMAIL:me@example.org", version="2.1")
    assert CARDS.owners(body, BY_EMAIL) == {("me@example.org",): 1}
    assert CARDS.rewrite(body, BY_EMAIL, permit(ME))[0] == body


@pytest.mark.parametrize(
    "line",
    [
        "NOTE:a\r\n b",
        "NOTE;ENCODING=QUOTED-PRINTABLE:=\r\nEMAIL:me@example.org",
        "NOTE;ENCODING=QUOTED-PRINTABLE:=\r\n EMAIL:me@example.org",
        "NOTE;ENCODING=QUOTED-PRINTABLE:=c3=a9",
        "NOTE;ENCODING=QUOTED-PRINTABLE:é",
        "NOTE;QUOTED-PRINTABLE:=4",
        "EMAIL;ENCODING=QUOTED-PRINTABLE:me=40example.org",
        "EMAIL;QUOTED-PRINTABLE:me=40example.org",
        "EMAIL;BASE64:bWU=",
        "NOTE;CHARSET=SHIFT_JIS:a",
        "NOTE;CHARSET=US-ASCII:é",
    ],
)
def test_vcard_2_1_is_refused_where_readers_go_different_ways(line: str) -> None:
    assert CARDS.refusal(card(line, version="2.1"), BY_EMAIL) is Code.BODY_AMBIGUOUS


def test_masks_empty_text_and_nothing_else() -> None:
    body = card("NOTE;X-BY=you:a\r\n  b", "EMAIL:me@example.org", "item1.TEL:1")
    kept, _ = CARDS.rewrite(body, BY_EMAIL, permit(ME, mask=("$.NOTE", "$.tel")))
    assert kept == card("NOTE:", "EMAIL:me@example.org", "item1.TEL:")
    assert read_by_vobject(kept) == read_by_icalendar(kept) == ["me@example.org"]
    for mask in ("$.BDAY", "$.EMAIL", "$.VERSION", "$.a.b"):
        with pytest.raises(BadUpstream) as caught:
            CARDS.rewrite(body, BY_EMAIL, permit(ME, mask=(mask,)))
        assert caught.value.code is Code.REDACTION_UNSUPPORTED


def test_a_card_is_bounded() -> None:
    small = Format(vcard, Limits(record=100))
    assert small.refusal(card("NOTE:" + "x" * 100), BY_EMAIL) is Code.BODY_TOO_LARGE
    assert small.owners(MINE * 9, BY_EMAIL) == {("me@example.org",): 9}


@settings(max_examples=150, deadline=None)
@given(
    owners=st.lists(st.sampled_from(["me", "you", "other"]), max_size=8),
    notes=st.lists(st.text(st.characters(codec="ascii", exclude_categories=["Cc"])), min_size=8),
    end=st.sampled_from(["\n", "\r\n"]),
    fold=st.integers(9, 80),
    chunk=st.integers(1, 50),
)
def test_kept_cards_are_byte_identical_and_others_gone(
    owners: list[str], notes: list[str], end: str, fold: int, chunk: int
) -> None:
    def folded(text: str) -> str:
        pieces = [text[at : at + fold] for at in range(0, len(text), fold)]
        return pieces[0] + "".join(f"{end} {piece}" for piece in pieces[1:] if piece.strip())

    whole = [
        card(folded(f"NOTE:{note.strip()}x"), f"EMAIL:{owner}@example.org", version="4.0", end=end)
        for owner, note in zip(owners, notes, strict=False)
    ]
    reader = Format(vcard, chunk=chunk)
    kept, counts = reader.rewrite(b"".join(whole), BY_EMAIL, permit(ME))
    assert kept == b"".join(each for each, who in zip(whole, owners, strict=True) if who == "me")
    assert counts.released == owners.count("me")
    assert read_by_vobject(kept) == read_by_icalendar(kept) == ["me@example.org"] * counts.released


@pytest.mark.corpus
def test_the_cards_of_a_real_takeout_are_read(corpus: Path) -> None:
    spec = BodySpec(Name.VCARD, subject=({"phone": ("TEL",)},))
    found = {}
    with zipfile.ZipFile(corpus / "exports/google-takeout-voice/takeout.zip") as archive:
        for name in archive.namelist():
            if name.endswith(".vcf"):
                found |= CARDS.owners(archive.read(name), spec)
    assert found == {("+17323217777",): 1, ("+1 425-406-0541",): 1}
