"""Attachments that an endpoint asks for: their owners are the message's, too."""

import base64

import pytest

from gateway.errors import BadUpstream, Code
from gateway.inspection.formats import eml, mbox
from gateway.inspection.settings import BodySpec, InnerMemberSpec, Limits, MemberSpec
from gateway.inspection.source import Body, InMemory
from gateway.inspection.tally import Tally
from gateway.model import Counts, SubjectRef
from gateway.model import Format as Name
from tests.support.reading import Format, permit

EML = Format(eml)
OWNER = ({"account": ("$.owner",)},)
JSON = MemberSpec("application/json", Name.JSON, "$[*]", OWNER)
SPEC = BodySpec(
    Name.EML,
    subject=({"account": ("X-Customer",)},),
    members=(
        JSON,
        MemberSpec("text/csv", Name.CSV, subject=({"account": ("owner",)},)),
        MemberSpec("message/*", Name.EML, subject=({"account": ("X-Customer",)},)),
    ),
)
ME, FOREIGN = SubjectRef("account", "me"), SubjectRef("account", "foreign")


def message(*parts: bytes, head: bytes = b"X-Customer: me\n") -> bytes:
    inside = b"".join(b"--b\n" + part + b"\n" for part in parts)
    return head + b'Content-Type: multipart/mixed; boundary="b"\n\n' + inside + b"--b--\n"


def attached(content: bytes, kind: bytes = b"application/json", more: bytes = b"") -> bytes:
    return b"Content-Type: " + kind + b"\n" + more + b"\n" + content


def of(*owners: str) -> bytes:
    return b"[" + b",".join(b'{"owner":"%b"}' % owner.encode() for owner in owners) + b"]"


def test_the_owners_in_an_attachment_own_the_message_too() -> None:
    text = message(attached(b"hello", b"text/plain"), attached(of("me", "foreign")))
    assert EML.owners(text, SPEC) == {("me", "foreign"): 1}
    assert EML.owners(message(attached(of("me"))), SPEC) == {("me",): 1}
    assert EML.owners(message(attached(of())), SPEC) == {("me",): 1}
    with pytest.raises(BadUpstream) as caught:
        EML.rewrite(text, SPEC, permit(ME))
    assert caught.value.code is Code.REDACTION_UNSUPPORTED
    assert EML.rewrite(text, SPEC, permit(ME, FOREIGN)) == (text, Counts(1, 1))


def test_a_message_that_is_but_one_part_is_read_as_well() -> None:
    text = b"X-Customer: me\nContent-Type: application/json\n\n" + of("foreign")
    assert EML.owners(text, SPEC) == {("me", "foreign"): 1}


@pytest.mark.parametrize(
    "kind",
    [
        b"application/json (of a stranger)", b"application/json x", b"(c) application/json",
        b"application / json", b'"application/json"', b"application/json,text/plain",
    ],
)  # fmt: skip
def test_a_type_that_some_readers_repair_into_one_that_is_asked_for_is_refused(kind: bytes) -> None:
    text = message(attached(of("foreign"), kind))
    assert EML.refusal(text, SPEC) is Code.BODY_AMBIGUOUS
    nothing = BodySpec(Name.EML, subject=SPEC.subject)
    assert EML.owners(text, nothing) == {("me",): 1}


def test_what_nobody_asked_for_is_not_read() -> None:
    text = message(attached(of("foreign"), b"application/octet-stream"), attached(b"{", b"a/b"))
    assert EML.owners(text, SPEC) == {("me",): 1}
    plain = BodySpec(Name.EML, subject=SPEC.subject)
    assert EML.owners(message(attached(of("foreign"))), plain) == {("me",): 1}


def test_something_without_an_owner_leaves_the_message_without_one() -> None:
    assert EML.owners(message(attached(b'[{"owner":"me"},{}]')), SPEC) == {(): 1}
    text = message(attached(of("me")), head=b"A: 1\n")
    assert EML.owners(text, SPEC) == {(): 1}
    inside = BodySpec(Name.EML, members=(JSON,))
    assert EML.owners(text, inside) == {("me",): 1}
    assert EML.owners(message(attached(b"", b"a/b")), inside) == {(): 1}


def test_a_nested_message_is_read_where_it_is_asked_for() -> None:
    nested = attached(b"X-Customer: foreign\n\ntext", b"message/rfc822")
    assert EML.owners(message(nested), SPEC) == {("me", "foreign"): 1}
    deep = message(attached(of("deep")), head=b"X-Customer: me\n").replace(b'"b"', b'"c"')
    nested = attached(deep.replace(b"--b", b"--c"), b"message/rfc822")
    assert EML.owners(message(nested), SPEC) == {("me", "deep"): 1}


@pytest.mark.parametrize(
    "more", [b"", b"Content-Transfer-Encoding: 8bit\n", b"Content-Disposition: attachment\n"]
)
def test_transfer_encodings_are_decoded(more: bytes) -> None:
    assert EML.owners(message(attached(of("foreign"), more=more)), SPEC) == {("me", "foreign"): 1}
    encoded = base64.encodebytes(of("foreign")).rstrip(b"\n")
    text = message(attached(encoded, more=b"Content-Transfer-Encoding: base64\n"))
    assert EML.owners(text, SPEC) == {("me", "foreign"): 1}
    quoted = of("foreign").replace(b"f", b"=66=\n")
    text = message(attached(quoted, more=b"Content-Transfer-Encoding: quoted-printable\n"))
    assert EML.owners(text, SPEC) == {("me", "foreign"): 1}


@pytest.mark.parametrize(
    ("part", "code"),
    [
        (attached(b"[{]"), Code.BODY_MALFORMED),
        (attached(b'[{"owner":"me","owner":"foreign"}]'), Code.BODY_AMBIGUOUS),
        (attached(b"PK\x03\x04"), Code.FORMAT_MISMATCH),
        (attached(of("me"), b"application/json; charset=utf-16"), Code.FORMAT_MISMATCH),
        (attached(of("me"), b"application/json; charset=utf-8; charset=x"), Code.BODY_AMBIGUOUS),
        (attached(of("me"), b"application/json; a=b c"), Code.BODY_AMBIGUOUS),
        (attached(b"W10!", more=b"Content-Transfer-Encoding: base64\n"), Code.BODY_MALFORMED),
        (attached(b"a= b", more=b"Content-Transfer-Encoding: quoted-printable\n"),
         Code.BODY_AMBIGUOUS),
        (attached(b"x", more=b"Content-Transfer-Encoding: x-uuencode\n"), Code.MEMBER_UNSUPPORTED),
    ],
)  # fmt: skip
def test_an_attachment_that_can_not_be_read_refuses_the_message(part: bytes, code: Code) -> None:
    """Catalogue A91."""
    assert EML.refusal(message(part), SPEC) is code
    plain = BodySpec(Name.EML, subject=SPEC.subject)
    assert EML.owners(message(part), plain) == {("me",): 1}


@pytest.mark.parametrize("form", [Name.ZIP, Name.TAR, Name.MULTIPART, Name.OPAQUE])
def test_an_archive_is_not_read_in_a_message(form: Name) -> None:
    spec = BodySpec(Name.EML, members=(MemberSpec("*/*", form),))
    assert EML.refusal(message(attached(b"x")), spec) is Code.MEMBER_UNSUPPORTED


def test_a_mailbox_and_a_message_in_an_archive_have_attachments_too() -> None:
    box = b"From a@x.org Sat Nov 28 08:57:42 2026\n%b\n"
    body = box % message(attached(of("foreign"))) + box % message(attached(of("me")))
    spec = BodySpec(Name.MBOX, subject=SPEC.subject, members=SPEC.members)
    form = Format(mbox)
    assert form.owners(body, spec) == {("me", "foreign"): 1, ("me",): 1}
    kept = box % message(attached(of("me")))
    assert form.rewrite(body, spec, permit(ME)) == (kept, Counts(2, 1, 1))
    member = MemberSpec(
        "*.eml",
        Name.EML,
        subject=SPEC.subject,
        members=(InnerMemberSpec("application/json", Name.JSON, "$[*]", OWNER),),
    )
    tally = Tally(Limits())
    source = Body(InMemory(message(attached(of("foreign")))), (), Limits())
    eml.inspect(source, member, Limits(), tally)
    assert [group.owners for group in tally.groups] == [(ME, FOREIGN)]


def test_attachments_are_read_no_further_than_the_owners_of_one_message_may_go() -> None:
    """What comes then would be another refusal."""
    few = Format(eml, limits=Limits(subjects=3))
    pairs = [attached(of(f"a{n}", f"b{n}")) for n in range(2)]
    wrong = attached(b"[")
    assert few.refusal(message(*pairs, wrong), SPEC) is Code.BODY_TOO_COMPLEX
    assert few.refusal(message(pairs[0], wrong), SPEC) is Code.BODY_MALFORMED
    assert few.owners(message(pairs[0], pairs[0]), SPEC) == {("me", "a0", "b0"): 1}
