"""MT940: each message is one record of its account."""

import mt940 as peer
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import BadUpstream, Code
from gateway.inspection.formats import mt940
from gateway.inspection.locators import LocatorError
from gateway.inspection.settings import BodySpec
from gateway.model import Counts, Format, SubjectRef
from tests.support import reading
from tests.support.reading import permit

STATEMENTS = reading.Format(mt940)
ME = SubjectRef("iban", "DE89370400440532013000")
FOREIGN = "DE75512108001245126199"
SPEC = BodySpec(Format.MT940, subject=({"iban": (":25:",)},))


def statement(account: str, *details: str, page: int = 1, blocks: bool = False) -> bytes:
    begin = "{1:F01BANKDEFFXXXX0000000000}{2:I940BANKDEFFXXXXN}{4:\r\n" if blocks else ""
    lines = [":20:STARTUMS", f":25:{account}", f":28C:5/{page}", ":60F:C260630EUR1000,00"]
    for text in details:
        lines += [":61:2607010701D10,00NTRFNONREF", f":86:{text}"]
    lines += [":62F:C260731EUR900,00", "-}" if blocks else "-", ""]
    return (begin + "\r\n".join(lines)).encode()


def read_by_mt940(body: bytes) -> tuple[list[str], int]:
    """The accounts, and how many transactions there are."""
    accounts = list[str]()
    transactions = 0
    for text in body.decode().split(":20:")[1:]:
        found = peer.parse(":20:" + text)
        accounts.append(found.data["account_identification"])
        transactions += len([each for each in found if each.data.get("amount")])
    return accounts, transactions


@pytest.mark.parametrize("blocks", [False, True])
def test_each_message_is_a_record(blocks: bool) -> None:
    mine, other = statement(ME.value, "a", blocks=blocks), statement(FOREIGN, "b", blocks=blocks)
    body = mine + other + mine
    assert STATEMENTS.owners(body, SPEC) == {(ME.value,): 2, (FOREIGN,): 1}
    kept, counts = STATEMENTS.rewrite(body, SPEC, permit(ME))
    assert (kept, counts) == (mine + mine, Counts(seen=3, released=2, redacted=1))
    assert read_by_mt940(kept) == ([ME.value] * 2, 2)
    assert STATEMENTS.owners(b"", SPEC) == {}


def test_each_page_is_a_record_of_its_own_account() -> None:
    """A page that names another account than the first one is that account's."""
    pages = [statement(who, page=n) for n, who in enumerate((ME.value, FOREIGN, ME.value), 1)]
    kept, _ = STATEMENTS.rewrite(b"".join(pages), SPEC, permit(ME))
    assert kept == pages[0] + pages[2]


def test_the_account_is_the_whole_line() -> None:
    for account in ("51210600/9223382012EUR", "1291.99.348EUR", "517852257", "A, (b)'s"):
        assert STATEMENTS.owners(statement(account), SPEC) == {(account,): 1}
    party = statement("1").replace(b":25:1", b":25P:1\r\nBANKDEFF")
    assert STATEMENTS.owners(party, SPEC) == {("1",): 1}


def test_without_a_subject_nobody_owns_a_statement() -> None:
    assert STATEMENTS.owners(statement("1"), BodySpec(Format.MT940)) == {(): 1}


def test_a_mention_is_no_owner() -> None:
    """Catalogue A97: an account in what the bank says about a transaction."""
    body = statement(FOREIGN, f"to :25:{ME.value}")
    assert STATEMENTS.owners(body, SPEC) == {(FOREIGN,): 1}
    assert STATEMENTS.rewrite(body, SPEC, permit(ME))[0] == b""


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (statement("1").replace(b":28C", b":25:2\r\n:28C"), Code.BODY_AMBIGUOUS),
        (statement("1").replace(b":25:1\r\n", b""), Code.BODY_MALFORMED),
        (b"\xef\xbb\xbf" + statement("1"), Code.BODY_AMBIGUOUS),
        (statement("1", "a\0b"), Code.BODY_AMBIGUOUS),
        (statement("1", "a").replace(b":86:a", b":86:\xe4"), Code.BODY_MALFORMED),
        (statement("1")[:-30], Code.BODY_INCOMPLETE),
    ],
)
def test_what_is_not_one_account_in_clean_text_is_refused(body: bytes, code: Code) -> None:
    assert STATEMENTS.refusal(body, SPEC) is code


def test_a_configured_encoding_is_read_and_kept() -> None:
    german = BodySpec(Format.MT940, subject=SPEC.subject, encoding="windows-1252")
    mine = statement(ME.value, "Müller €").decode().encode("windows-1252")
    assert STATEMENTS.rewrite(mine + statement(FOREIGN), german, permit(ME))[0] == mine


def test_a_mask_takes_out_what_the_bank_says() -> None:
    body = statement(ME.value, "Miete\r\nan jemand", "b")
    for mask in ("$['86']", '$["86"]'):
        kept, _ = STATEMENTS.rewrite(body, SPEC, permit(ME, mask=(mask,)))
        assert kept == body.replace(b":86:Miete\r\nan jemand\r\n", b"").replace(b":86:b\r\n", b"")
        assert read_by_mt940(kept) == ([ME.value], 2)
    for mask in ("$['25']", "$['61']", "$.a", "$['86'].a", "$"):
        with pytest.raises(BadUpstream) as caught:
            STATEMENTS.rewrite(body, SPEC, permit(ME, mask=(mask,)))
        assert caught.value.code is Code.REDACTION_UNSUPPORTED


def test_only_the_account_is_a_locator() -> None:
    assert mt940.locator(":25:") == mt940.locator("$['25']") == "25"
    for text in ("25", ":20:", "$['20']", "$.a", ""):
        with pytest.raises(LocatorError):
            mt940.locator(text)


@settings(max_examples=100, deadline=None)
@given(
    owners=st.lists(st.sampled_from([ME.value, FOREIGN, "1"]), max_size=6),
    details=st.lists(st.from_regex(r"[A-Za-z0-9?/ ]{1,60}[a-z]", fullmatch=True), max_size=3),
    blocks=st.booleans(),
    chunk=st.integers(1, 60),
)
def test_kept_messages_are_byte_identical_and_others_gone(
    owners: list[str], details: list[str], blocks: bool, chunk: int
) -> None:
    whole = [statement(owner, *details, blocks=blocks) for owner in owners]
    reader = reading.Format(mt940, chunk=chunk)
    kept, counts = reader.rewrite(b"".join(whole), SPEC, permit(ME))
    mine = [each for each, who in zip(whole, owners, strict=True) if who == ME.value]
    assert kept == b"".join(mine)
    assert (counts.seen, counts.released) == (len(owners), len(mine))
    assert read_by_mt940(kept) == ([ME.value] * len(mine), len(mine) * len(details))
