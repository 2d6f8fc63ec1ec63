"""OFX 1: each response is one record, of the account that its statement is about."""

import io
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ofxparse import OfxParser
from ofxtools.Parser import OFXTree

from gateway.errors import BadUpstream, Code
from gateway.inspection.formats import ofx
from gateway.inspection.locators import LocatorError
from gateway.inspection.settings import BodySpec, Limits
from gateway.model import Counts, Format, SubjectRef
from gateway.response import Payload
from tests.support import reading
from tests.support.reading import permit

STATEMENTS = reading.Format(ofx)
ME = SubjectRef("account", "532013000")
FOREIGN = "999999999"
SPEC = BodySpec(Format.OFX, subject=({"account": ("ACCTID",)},))

HEADER = (
    "OFXHEADER:100\nDATA:OFXSGML\nVERSION:102\nSECURITY:NONE\nENCODING:USASCII\nCHARSET:1252\n"
    "COMPRESSION:NONE\nOLDFILEUID:NONE\nNEWFILEUID:NONE\n\n"
)
SIGN_ON = (
    "<STATUS><CODE>0<SEVERITY>INFO{}</STATUS><DTSERVER>20260701120000<LANGUAGE>ENG"
    "<FI><ORG>Bank<FID>1</FI>"
)


def transaction(name: str = "Shop", memo: str = "<MEMO>Thanks\n") -> str:
    start = "<STMTTRN><TRNTYPE>DEBIT<DTPOSTED>20260630<TRNAMT>-1.00<FITID>1"
    return f"{start}<NAME>{name}\n{memo}</STMTTRN>\n"


def statement(account: str, *inside: str, closed: bool = False) -> str:
    end = "</ACCTID>" if closed else ""
    listed = "".join(inside)
    return (
        "<STMTTRNRS><TRNUID>1<STATUS><CODE>0<SEVERITY>INFO</STATUS>\n<STMTRS><CURDEF>EUR\n"
        f"<BANKACCTFROM><BANKID>37040044<ACCTID>{account}{end}\n<ACCTTYPE>CHECKING</BANKACCTFROM>\n"
        f"<BANKTRANLIST><DTSTART>20260601<DTEND>20260630\n{listed}</BANKTRANLIST>\n"
        "<LEDGERBAL><BALAMT>1.00<DTASOF>20260630</LEDGERBAL></STMTRS></STMTTRNRS>\n"
    )


def card(account: str) -> str:
    return (
        statement(account).replace("STMT", "CCSTMT").replace("BANKACCTFROM", "CCACCTFROM")
        .replace("<BANKID>37040044", "").replace("<ACCTTYPE>CHECKING", "")
    )  # fmt: skip


def message_set(*responses: str, name: str = "BANKMSGSRSV1") -> str:
    return f"<{name}>\n{''.join(responses)}</{name}>\n"


def document(*sets: str, sign_on: str = SIGN_ON.format(""), header: str = HEADER) -> bytes:
    start = f"<OFX>\n<SIGNONMSGSRSV1><SONRS>{sign_on}</SONRS></SIGNONMSGSRSV1>\n"
    return f"{header}{start}{''.join(sets)}</OFX>\n".encode("windows-1252")


def bank(*owners: str) -> bytes:
    return document(message_set(*[statement(owner, transaction()) for owner in owners]))


def read_by_ofxtools(body: bytes) -> list[str]:
    tree = OFXTree()
    tree.parse(io.BytesIO(body))
    return [each.account.acctid for each in tree.convert().statements]


def read_by_ofxparse(body: bytes) -> list[str]:
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        return [each.account_id for each in OfxParser.parse(io.BytesIO(body)).accounts]


def test_each_response_is_a_record() -> None:
    body = bank(ME.value, FOREIGN, ME.value)
    assert STATEMENTS.owners(body, SPEC) == {(ME.value,): 2, (FOREIGN,): 1}
    kept, counts = STATEMENTS.rewrite(body, SPEC, permit(ME))
    assert (kept, counts) == (bank(ME.value, ME.value), Counts(seen=3, released=2, redacted=1))
    assert read_by_ofxtools(kept) == read_by_ofxparse(kept) == [ME.value] * 2
    assert "ACCTID" in STATEMENTS.inspect(body, SPEC).fields


def test_a_message_set_goes_where_all_in_it_goes() -> None:
    cards = message_set(card(FOREIGN), card(FOREIGN), name="CREDITCARDMSGSRSV1")
    accounts = message_set(statement(ME.value))
    for body in (document(accounts, cards), document(cards, accounts)):
        assert STATEMENTS.owners(body, SPEC) == {(ME.value,): 1, (FOREIGN,): 2}
        kept, _ = STATEMENTS.rewrite(body, SPEC, permit(ME))
        assert kept == document(accounts)
        assert read_by_ofxtools(kept) == read_by_ofxparse(kept) == [ME.value]
        assert STATEMENTS.rewrite(body, SPEC, permit())[0] == document()
    empty = document(message_set(), accounts)
    assert STATEMENTS.rewrite(empty, SPEC, permit(ME))[0] == empty


def test_an_end_tag_of_an_element_changes_nothing() -> None:
    body = document(message_set(statement(ME.value, closed=True), statement(FOREIGN, closed=True)))
    kept, _ = STATEMENTS.rewrite(body, SPEC, permit(ME))
    assert kept == document(message_set(statement(ME.value, closed=True)))
    assert read_by_ofxtools(kept) == [ME.value]


def test_an_account_that_money_went_to_is_only_mentioned() -> None:
    """Catalogue A97."""
    to = f"<BANKACCTTO><BANKID>1<ACCTID>{ME.value}<ACCTTYPE>CHECKING</BANKACCTTO>"
    body = document(message_set(statement(FOREIGN, transaction(memo=to))))
    assert STATEMENTS.owners(body, SPEC) == {(FOREIGN,): 1}


def test_other_responses_are_records_of_nobody() -> None:
    listed = "<ACCTINFOTRNRS><TRNUID>1<ACCTINFORS><ACCTINFO><BANKACCTINFO><BANKACCTFROM>"
    listed += f"<ACCTID>{ME.value}</BANKACCTFROM></BANKACCTINFO></ACCTINFO></ACCTINFORS>"
    listed += "</ACCTINFOTRNRS>"
    body = document(message_set(listed, name="SIGNUPMSGSRSV1"), message_set(statement(ME.value)))
    assert STATEMENTS.owners(body, SPEC) == {(): 1, (ME.value,): 1}
    kept, _ = STATEMENTS.rewrite(body, SPEC, permit(ME))
    assert kept == document(message_set(statement(ME.value)))


def test_what_the_sign_on_says_of_a_person_is_a_record_of_nobody() -> None:
    clean = SIGN_ON.format("")
    for said in ("<INTU.USERID>you\n", "<USERKEY>1</USERKEY>", "<X><Y>you</X>"):
        body = document(message_set(statement(ME.value)), sign_on=clean + said)
        assert STATEMENTS.owners(body, SPEC) == {(): 1, (ME.value,): 1}
        kept, counts = STATEMENTS.rewrite(body, SPEC, permit(ME))
        rest = clean + ("<X></X>" if said.startswith("<X>") else "")
        assert kept == document(message_set(statement(ME.value)), sign_on=rest)
        assert (counts.seen, counts.released) == (2, 1)
    greeting = document(sign_on=SIGN_ON.format("<MESSAGE>Welcome Jane"))
    assert STATEMENTS.owners(greeting, SPEC) == {(): 1}
    assert STATEMENTS.owners(document(sign_on=SIGN_ON.format("<MESSAGE>Success")), SPEC) == {}


def test_locators_are_paths_from_the_statement() -> None:
    owner = {"bank": ("BANKACCTFROM/BANKID",), "account": ("BANKACCTFROM/ACCTID",)}
    both = BodySpec(Format.OFX, subject=(owner,))
    body = document(message_set(statement("1")), message_set(card("2"), name="CREDITCARDMSGSRSV1"))
    assert STATEMENTS.owners(body, both) == {("37040044", "1"): 1, (): 1}
    assert STATEMENTS.owners(body, SPEC) == {("1",): 1, ("2",): 1}
    for text in ("", "acctid", "A//B", "$.ACCTID", "A/*", "../A"):
        with pytest.raises(LocatorError):
            ofx.locator(text)


@pytest.mark.parametrize(
    ("account", "inside", "code"),
    [
        ("1&amp;2", "", Code.BODY_AMBIGUOUS),
        ("1\n2", "", Code.BODY_AMBIGUOUS),
        ("é", "", Code.BODY_AMBIGUOUS),
        ("1<ACCTID>2", "", Code.BODY_AMBIGUOUS),
        (
            "1",
            "</BANKTRANLIST><BANKACCTFROM><ACCTID>2</BANKACCTFROM><BANKTRANLIST>",
            Code.BODY_AMBIGUOUS,
        ),
        ("1", "</BANKTRANLIST></STMTRS><STMTRS><BANKTRANLIST>", Code.BODY_AMBIGUOUS),
        ("1", "<stmttrn>", Code.BODY_AMBIGUOUS),
        ("1", "<MEMO>", Code.BODY_MALFORMED),
    ],
)  # fmt: skip
def test_what_readers_take_differently_is_refused(account: str, inside: str, code: Code) -> None:
    body = document(message_set(statement(account, inside)))
    assert STATEMENTS.refusal(body, SPEC) is code
    assert STATEMENTS.owners(document(message_set(statement("1 2-3"))), SPEC) == {("1 2-3",): 1}


def test_an_account_without_text_is_nobody_s() -> None:
    body = document(message_set(statement("1").replace("<ACCTID>1", "<ACCTID></ACCTID>")))
    assert STATEMENTS.owners(body, SPEC) == {(): 1}


def test_a_mask_takes_elements_out() -> None:
    body = document(message_set(statement(ME.value, transaction(), transaction(memo=""))))
    memo, name = "$.STMTRS.BANKTRANLIST.STMTTRN.MEMO", "$.STMTRS.BANKTRANLIST.STMTTRN[*].NAME"
    kept, _ = STATEMENTS.rewrite(body, SPEC, permit(ME, mask=(memo,)))
    assert kept == body.replace(b"<MEMO>Thanks\n", b"")
    assert read_by_ofxtools(kept) == read_by_ofxparse(kept) == [ME.value]
    assert STATEMENTS.rewrite(body, SPEC, permit(ME, mask=(memo.lower(),)))[0] == kept
    kept, _ = STATEMENTS.rewrite(body, SPEC, permit(ME, mask=(memo, name)))
    assert b"Shop" not in kept and b"Thanks" not in kept
    assert read_by_ofxtools(kept) == [ME.value]
    closed = body.replace(b"Thanks\n", b"Thanks</MEMO>\n")
    kept, _ = STATEMENTS.rewrite(closed, SPEC, permit(ME, mask=(memo,)))
    assert kept == body.replace(b"<MEMO>Thanks\n", b"")
    for mask in ("$.STMTRS.BANKACCTFROM.ACCTID", "$.STMTRS.CURDEF", "$", "$.STMTRS.*", "$.a"):
        with pytest.raises(BadUpstream) as caught:
            STATEMENTS.rewrite(body, SPEC, permit(ME, mask=(mask,)))
        assert caught.value.code is Code.REDACTION_UNSUPPORTED


def test_the_charset_of_the_header_is_read_and_kept() -> None:
    body = document(message_set(statement(ME.value, transaction("Café")), statement(FOREIGN)))
    kept, _ = STATEMENTS.rewrite(body, SPEC, permit(ME))
    assert kept == document(message_set(statement(ME.value, transaction("Café"))))
    plain = body.replace(b"CHARSET:1252", b"CHARSET:NONE")
    assert STATEMENTS.refusal(plain, SPEC) is Code.BODY_MALFORMED
    utf_8 = plain.replace(b"\xe9", "é".encode())
    assert STATEMENTS.refusal(utf_8, SPEC) is Code.BODY_AMBIGUOUS
    declared = utf_8.replace(b"ENCODING:USASCII", b"ENCODING:UTF-8")
    assert STATEMENTS.owners(declared, SPEC) == {(ME.value,): 1, (FOREIGN,): 1}
    assert STATEMENTS.owners(bank("1").replace(b"CHARSET:1252", b"CHARSET:NONE"), SPEC)


def test_the_declared_charset_is_the_header_s() -> None:
    for charset in (None, "windows-1252", "cp1252"):
        ofx.detect(Payload("application/ofx", charset), bank("1"), SPEC)
    for charset in ("utf-8", "iso-8859-1", "utf-16"):
        with pytest.raises(BadUpstream) as caught:
            ofx.detect(Payload("application/ofx", charset), bank("1"), SPEC)
        assert caught.value.code is Code.FORMAT_MISMATCH


def test_a_cut_document_is_refused() -> None:
    body = bank(ME.value)
    small = reading.Format(ofx, Limits(record=300))
    assert small.refusal(body, SPEC) is Code.BODY_TOO_LARGE
    for length in range(0, len(body) - 8, 11):
        assert STATEMENTS.verdict(body[:length], SPEC) != "ok", length


@settings(max_examples=60, deadline=None)
@given(
    owners=st.lists(st.sampled_from([ME.value, FOREIGN, "1"]), max_size=6),
    names=st.lists(st.from_regex(r"[A-Za-z0-9.,/ -]{1,30}[a-z]", fullmatch=True), max_size=3),
    end=st.sampled_from(["\n", "\r\n"]),
    closed=st.booleans(),
    chunk=st.integers(1, 60),
)
def test_kept_responses_are_byte_identical_and_others_gone(
    owners: list[str], names: list[str], end: str, closed: bool, chunk: int
) -> None:
    def made(owners: list[str]) -> bytes:
        each = [statement(who, *map(transaction, names), closed=closed) for who in owners]
        body = document(message_set(*each)) if each else document()
        return body.replace(b"\n", end.encode())

    mine = [owner for owner in owners if owner == ME.value]
    kept, counts = reading.Format(ofx, chunk=chunk).rewrite(made(owners), SPEC, permit(ME))
    assert kept == made(mine)
    assert (counts.seen, counts.released) == (len(owners), len(mine))
    assert read_by_ofxtools(kept) == mine
