"""One message: its owner's, whole, or not at all."""

import email
import email.policy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import BadUpstream, Code
from gateway.inspection import work
from gateway.inspection.formats import eml
from gateway.inspection.settings import BodySpec, Limits
from gateway.inspection.source import InMemory
from gateway.inspection.work import Task
from gateway.model import Counts, SubjectRef
from gateway.model import Format as Name
from gateway.response import Payload
from tests.support.reading import Format, permit

EML = Format(eml)
SPEC = BodySpec(Name.EML, subject=({"email": ("Delivered-To",)},), category="mail")
ME, FOREIGN = SubjectRef("email", "me@x.org"), SubjectRef("email", "foreign@x.org")

MESSAGE = (
    b"Delivered-To: me@x.org\nFrom: =?utf-8?q?J=C3=BCrgen?= <j@y.org>\nSubject: a\n b\n"
    b'MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="b"\n\nThis is MIME.\n'
    b"--b\nContent-Type: text/plain\n\nDelivered-To: foreign@x.org\n"
    b"--b\nContent-Type: message/rfc822\n\nDelivered-To: foreign@x.org\n\ntext\n"
    b"--b\nContent-Type: image/png\nContent-Transfer-Encoding: base64\n\niVBORw0K!!\n--b--\n"
)


@pytest.mark.parametrize("text", [MESSAGE, MESSAGE.replace(b"\n", b"\r\n")])
@pytest.mark.parametrize("chunk", [1, 7, 1 << 18])
def test_a_message_is_one_record_of_its_owner(text: bytes, chunk: int) -> None:
    form = Format(eml, chunk=chunk)
    assert form.owners(text, SPEC) == {("me@x.org",): 1}
    tally = form.inspect(text, SPEC)
    assert tally.fields == (
        "content-type", "delivered-to", "from", "mime-version", "subject",
    )  # fmt: skip
    assert tally.groups[0].category == "mail"
    assert form.rewrite(text, SPEC, permit(ME)) == (text, Counts(1, 1))


def test_a_foreign_message_can_not_be_taken_out_of_itself() -> None:
    for text in (MESSAGE.replace(b"me@", b"foreign@"), b"A: 1\n\n"):
        EML.inspect(text, SPEC)
        with pytest.raises(BadUpstream) as caught:
            EML.rewrite(text, SPEC, permit(ME))
        assert caught.value.code is Code.REDACTION_UNSUPPORTED


def test_all_owners_must_be_permitted() -> None:
    spec = BodySpec(Name.EML, subject=({"email": ("To|Cc",)},))
    text = b"To: me@x.org\nCc: F <foreign@x.org>\n\n"
    assert EML.owners(text, spec) == {("me@x.org", "foreign@x.org"): 1}
    with pytest.raises(BadUpstream):
        EML.rewrite(text, spec, permit(ME))
    assert EML.rewrite(text, spec, permit(ME, FOREIGN)) == (text, Counts(1, 1))


def test_a_mask_empties_a_field_and_keeps_the_rest() -> None:
    found, counts = EML.rewrite(MESSAGE, SPEC, permit(ME, mask=("$.subject",)))
    assert (found, counts) == (MESSAGE.replace(b"Subject: a\n b", b"Subject:"), Counts(1, 1))
    with pytest.raises(BadUpstream) as caught:
        EML.rewrite(MESSAGE, SPEC, permit(ME, mask=("$.body.text",)))
    assert caught.value.code is Code.REDACTION_UNSUPPORTED


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"", Code.BODY_INCOMPLETE),
        (b"\ntext", Code.BODY_MALFORMED),
        (b"\xef\xbb\xbfTo: a\n\n", Code.BODY_MALFORMED),
        (b"From a@x Sat Nov 28 08:57:42 2026\nTo: a\n\n", Code.BODY_MALFORMED),
        (b"Delivered-To: me@x.org\n", Code.BODY_INCOMPLETE),
        (b"Delivered-To: me@x.org\n\na\rDelivered-To: b\n", Code.BODY_AMBIGUOUS),
        (b"Delivered-To: me@x.org\r\n\r\na\n", Code.BODY_AMBIGUOUS),
        (b"Delivered-To: me@x.org\n\n\0", Code.BODY_AMBIGUOUS),
        (b"Delivered-To: me@x.org (foreign@x.org)\n\n", Code.BODY_AMBIGUOUS),
        (b"Delivered-To : me@x.org\n\n", Code.BODY_MALFORMED),
        (MESSAGE.replace(b"--b--", b""), Code.BODY_INCOMPLETE),
        (MESSAGE.replace(b"--b--", b"--b --"), Code.BODY_AMBIGUOUS),
    ],
)
def test_what_readers_take_differently_is_refused(text: bytes, code: Code) -> None:
    """Catalogue A90 to A93."""
    assert EML.refusal(text, SPEC) is code
    assert EML.refusal(text.replace(b"\n", b"\r\n"), SPEC) in (code, Code.BODY_AMBIGUOUS)


def test_a_message_is_held_whole_and_no_longer_than_a_record() -> None:
    text = b"Delivered-To: me@x.org\n\n" + b"x" * 100
    assert Format(eml, Limits(record=len(text))).owners(text, SPEC) == {("me@x.org",): 1}
    short = Format(eml, Limits(record=len(text) - 1), chunk=10)
    assert short.refusal(text, SPEC) is Code.BODY_TOO_LARGE


def test_every_cut_of_a_message_is_refused_or_has_the_same_owner() -> None:
    for end in range(len(MESSAGE)):
        cut = MESSAGE[:end]
        verdict = EML.verdict(cut, SPEC)
        assert verdict != "ok" or end >= len(MESSAGE) - 1, end


def test_the_body_is_accounted_for_as_a_whole() -> None:
    task = Task(Payload("message/rfc822"), SPEC, Limits())
    inspection = work.inspect(InMemory(MESSAGE), task)
    assert inspection.bytes_inspected == inspection.bytes_received == len(MESSAGE)
    assert inspection.sealed and inspection.records == 1


FIELDS = st.from_regex(r"X-[A-Za-z]{1,9}: [ -~]{0,30}", fullmatch=True)


@given(st.lists(FIELDS, max_size=5), st.text(st.characters(exclude_characters="\r\0"), max_size=60))
def test_two_readers_find_the_same_owner(fields: list[str], body: str) -> None:
    text = "\n".join((*fields, "Delivered-To: me@x.org", "", body)).encode(errors="replace")
    assert EML.owners(text, SPEC) == {("me@x.org",): 1}
    for policy in (email.policy.default, email.policy.compat32):
        message = email.message_from_bytes(text, policy=policy)
        assert message.get_all("Delivered-To") == ["me@x.org"]
        assert len(message.keys()) == len(fields) + 1
