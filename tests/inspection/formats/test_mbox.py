"""Mailboxes: every message counted once, the same ones for every dialect, and exactly some kept."""

import email.policy
import mailbox
import random
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import BadUpstream, Code
from gateway.inspection import work
from gateway.inspection.formats import mbox
from gateway.inspection.settings import BodySpec, Limits
from gateway.inspection.source import InMemory
from gateway.inspection.work import Task
from gateway.model import Counts, Decision, Effect, Mask, SubjectRef
from gateway.model import Format as Name
from gateway.response import Payload
from tests.support.reading import Format, permit

MBOX = Format(mbox)
SPEC = BodySpec(Name.MBOX, subject=({"email": ("Delivered-To",)},))
ME, FOREIGN = SubjectRef("email", "me@x.org"), SubjectRef("email", "foreign@x.org")
DATE = b"Sat Nov 28 08:57:42 2026"


def message(owner: str = "me@x.org", body: bytes = b"text\n", more: bytes = b"") -> bytes:
    head = b"From j@y.org %b\nDelivered-To: %b\nSubject: s\n" % (DATE, owner.encode())
    return head + more + b"\n" + body + b"\n"


MINE, THEIRS = message(), message("foreign@x.org")


def senders(text: bytes, folder: Path) -> list[list[str]]:
    """Whose messages two other readers find: Python's, and git's."""
    file = folder / "box"
    file.write_bytes(text)
    with closing(mailbox.mbox(file, create=False)) as box:
        found = [str(each["Delivered-To"]) for each in box]
    split = folder / "split"
    split.mkdir(exist_ok=True)
    for old in split.iterdir():
        old.unlink()
    subprocess.run(["git", "mailsplit", f"-o{split}", str(file)], check=True, capture_output=True)
    by_git = []
    for each in sorted(split.iterdir()):
        parsed = email.message_from_bytes(each.read_bytes(), policy=email.policy.default)
        by_git.append(str(parsed["Delivered-To"]))
    return [found, by_git]


# Whose a message is, and what stays


@pytest.mark.parametrize("chunk", [1, 5, 1 << 18])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_messages_are_counted_by_their_owners(chunk: int, end: bytes) -> None:
    form = Format(mbox, chunk=chunk)
    box = (MINE + THEIRS + MINE + b"From - " + DATE + b"\nA: 1\n\n\n").replace(b"\n", end)
    assert form.owners(box, SPEC) == {("me@x.org",): 2, ("foreign@x.org",): 1, (): 1}
    assert form.inspect(box, SPEC).fields == ("a", "delivered-to", "subject")
    kept = (MINE + MINE).replace(b"\n", end)
    assert form.rewrite(box, SPEC, permit(ME)) == (kept, Counts(4, 2, 2))
    assert form.rewrite(box, SPEC, permit()) == (b"", Counts(4, 0, 4))


def test_an_empty_mailbox_has_no_messages() -> None:
    assert MBOX.owners(b"", SPEC) == {}
    assert MBOX.rewrite(b"", SPEC, permit()) == (b"", Counts())


@pytest.mark.parametrize(
    "line",
    [
        b"From j@y.org " + DATE,
        b"From j@y.org  " + DATE,
        b"From - " + DATE,
        b"From MAILER-DAEMON Tue Jan  2 00:00:60 1990",
        b"From jane at y.org  Tue Jan  2 00:00:00 2001",
        b"From 1683459873412341234@xxx Mon Dec 12 12:34:56 +0000 2016",
    ],
)
def test_the_dates_of_the_field_are_dates(line: bytes) -> None:
    box = MINE.replace(b"From j@y.org " + DATE, line)
    assert MBOX.owners(box + THEIRS, SPEC) == {("me@x.org",): 1, ("foreign@x.org",): 1}


def test_a_quoted_line_and_one_inside_a_line_begin_nothing() -> None:
    body = b">From foreign@x.org " + DATE + b"\n>>From a\nFrom: b\nFromage\n From c\nand From d\n"
    assert MBOX.owners(message(body=body) + MINE, SPEC) == {("me@x.org",): 2}


def test_a_last_message_may_lack_its_empty_line() -> None:
    assert MBOX.owners(MINE + MINE[:-1], SPEC) == {("me@x.org",): 2}


@pytest.mark.parametrize("box", [MINE, MINE + THEIRS + MINE, message(body=b"") + MINE])
def test_a_length_is_the_bodys(box: bytes) -> None:
    lengths = {b"text\n\n": b"5", b"\n": b"0"}
    counted = b""
    for each in box.split(b"From j@y.org")[1:]:
        head, body = each.split(b"\n\n", 1)
        right = lengths[body]
        counted += b"From j@y.org" + head + b"\nContent-Length: " + right + b"\n\n" + body
    assert MBOX.owners(counted, SPEC) == MBOX.owners(box, SPEC)
    for wrong in (b"4", b"7", b"0005000", b"-1", b"5 ", b"1e1", b"999999999999999999"):
        other = counted.replace(b"Length: 5", b"Length: " + wrong)
        if other != counted and wrong != b"5 ":
            assert MBOX.refusal(other, SPEC) is Code.BODY_AMBIGUOUS


@pytest.mark.parametrize(
    ("box", "code"),
    [
        # a line that begins a message for some readers only
        (message(body=b"a\n\nFrom me to you\n") + MINE, Code.BODY_AMBIGUOUS),
        (message(body=b"a\n\nFrom \n"), Code.BODY_AMBIGUOUS),
        (message(body=b"a\nFrom j@y.org " + DATE + b"\nTo: x\n\n"), Code.BODY_AMBIGUOUS),
        (message(body=b"a\n\nFrom j@y.org " + DATE + b" x\nTo: x\n\n"), Code.BODY_AMBIGUOUS),
        (message(body=b"a\n\nFrom j@y.org Sat, 28 Nov 2026 08:57:42 +0000\nA: 1\n\n"),
         Code.BODY_AMBIGUOUS),
        (message(body=b"a\n\nFrom a b " + DATE + b"\nTo: x\n\n"), Code.BODY_AMBIGUOUS),
        (message(body=b"a\n \nFrom j@y.org " + DATE + b"\nTo: x\n\n"), Code.BODY_AMBIGUOUS),
        (MINE[:-1] + MINE, Code.BODY_AMBIGUOUS),
        # one that no header follows, and one in a header
        (message(body=b"a\n\nFrom j@y.org " + DATE + b"\n\ntext\n"), Code.BODY_MALFORMED),
        (MINE + b"From j@y.org " + DATE + b"\n", Code.BODY_INCOMPLETE),
        (message(more=b"From j@y.org " + DATE + b"\n"), Code.BODY_AMBIGUOUS),
        (message(more=b">From j@y.org " + DATE + b"\n"), Code.BODY_MALFORMED),
        # lengths that end the body elsewhere
        (message(more=b"Content-Length: 99\n") + THEIRS, Code.BODY_AMBIGUOUS),
        (message(more=b"Content-Length: 5\nContent-Length: 5\n"), Code.BODY_AMBIGUOUS),
        (message(more=b"Content-Length: 6\n") + THEIRS, Code.BODY_AMBIGUOUS),
        # line ends
        (MINE + MINE.replace(b"\n", b"\r\n"), Code.BODY_AMBIGUOUS),
        (MINE.replace(b"\n", b"\r\n") + MINE, Code.BODY_AMBIGUOUS),
        (message(body=b"a\r\rFrom j@y.org " + DATE + b"\rDelivered-To: b\r\r"),
         Code.BODY_AMBIGUOUS),
        (MINE.replace(b"\n", b"\r"), Code.BODY_AMBIGUOUS),
        (message(body=b"a\0b\n"), Code.BODY_AMBIGUOUS),
        # cut
        (MINE + MINE[:-2], Code.BODY_INCOMPLETE),
        (MINE + b"From ", Code.BODY_AMBIGUOUS),
        (MINE + message(more=b"Content-Type: multipart/mixed; boundary=a\n"), Code.BODY_INCOMPLETE),
        # something else in front
        (b"\n" + MINE, Code.BODY_AMBIGUOUS),
        (b"x\n\n" + MINE, Code.BODY_AMBIGUOUS),
        (b"\xef\xbb\xbf" + MINE, Code.BODY_AMBIGUOUS),
        (b">" + MINE, Code.BODY_AMBIGUOUS),
    ],
)  # fmt: skip
def test_what_dialects_read_differently_is_refused(box: bytes, code: Code) -> None:
    """Catalogue A89 to A92."""
    assert MBOX.refusal(box, SPEC) is code
    assert Format(mbox, chunk=3).refusal(box, SPEC) is code


def test_a_refusal_says_which_message_and_nothing_of_it() -> None:
    with pytest.raises(BadUpstream) as caught:
        MBOX.inspect(MINE + message("foreign@x.org (me)"), SPEC)
    assert "message 2" in caught.value.note and "foreign" not in caught.value.note


def test_a_mask_empties_its_field_in_every_message_that_stays() -> None:
    box = MINE + THEIRS + MINE
    expected = (MINE + MINE).replace(b"Subject: s", b"Subject:")
    assert MBOX.rewrite(box, SPEC, permit(ME, mask=("$.Subject",)))[0] == expected


@pytest.mark.parametrize("sender", [b"j@y.org", b"jane at y.org", b"-"])
def test_where_the_sender_is_masked_the_line_before_the_message_names_none(sender: bytes) -> None:
    box = message(more=b"From: j@y.org\n").replace(b"From j@y.org", b"From " + sender)
    expected = message(more=b"From:\n").replace(b"From j@y.org", b"From -")
    found, counts = MBOX.rewrite(box + THEIRS, SPEC, permit(ME, mask=("$.From",)))
    assert (found, counts) == (expected, Counts(2, 1, 1))
    assert MBOX.rewrite(box, SPEC, permit(ME))[0] == box


def test_memory_is_bounded_by_one_message() -> None:
    long = message(body=b"x" * 200_000 + b"\n")
    assert Format(mbox, Limits(record=len(long))).owners(long * 3, SPEC) == {("me@x.org",): 3}
    short = Format(mbox, Limits(record=len(long) - 1))
    assert short.refusal(MINE + long + MINE, SPEC) is Code.BODY_TOO_LARGE
    assert short.refusal(MINE + long, SPEC) is Code.BODY_TOO_LARGE


def test_what_a_redaction_wrote_passes_when_it_is_read_again() -> None:
    task = Task(Payload("application/mbox"), SPEC, Limits())
    decision = Decision(
        Effect.REDACT, frozenset({ME}), False, frozenset(), (Mask("$.Subject"),), (), ""
    )
    rewritten, counts = MBOX.rewrite(THEIRS + MINE + THEIRS, SPEC, permit(ME, mask=("$.Subject",)))
    found = work.inspect(InMemory(THEIRS + MINE + THEIRS), task)
    work.confirm(InMemory(rewritten), task, found, decision, counts)


@given(st.integers(0, 2**32))
def test_other_readers_find_the_same_messages(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    dice = random.Random(seed)
    bodies = (b"", b"a\n", b"\n\n", b">From a\n", b"a\n\n\nb\n", b"-- \n--b\n")
    owners = [dice.choice(("me@x.org", "foreign@x.org")) for _ in range(dice.randint(1, 5))]
    box = b"".join(message(owner, dice.choice(bodies)) for owner in owners)
    form = Format(mbox, chunk=dice.randint(1, 99))
    folder = tmp_path_factory.mktemp("box")
    assert senders(box, folder) == [owners, owners]
    found = form.inspect(box, SPEC).groups
    assert sum(group.records for group in found) == len(owners)
    kept, counts = form.rewrite(box, SPEC, permit(ME))
    mine = [owner for owner in owners if owner == "me@x.org"]
    assert counts.released == len(mine)
    if mine:
        assert senders(kept, folder) == [mine, mine]
    assert form.rewrite(box, SPEC, permit(ME, FOREIGN))[0] == box
