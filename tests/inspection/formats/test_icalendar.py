"""iCalendar: components are records, the calendar is their envelope, and no reader sees others."""

import icalendar as peer
import pytest
import vobject
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import BadUpstream, Code
from gateway.inspection.formats import icalendar
from gateway.inspection.settings import BodySpec, Limits
from gateway.model import Attribution, Counts, SubjectRef
from gateway.model import Format as Name
from tests.support.reading import Format, permit

CALENDARS = Format(icalendar)
ME = SubjectRef("email", "me@example.org")
BY_ORGANIZER = BodySpec(Name.ICALENDAR, subject=({"email": ("ORGANIZER",)},))
BY_NAME = BodySpec(Name.ICALENDAR, subject=({"email": ("../X-WR-CALNAME",)},))

ZONE = """BEGIN:VTIMEZONE
TZID:Europe/Berlin
X-LIC-LOCATION:Europe/Berlin
BEGIN:STANDARD
DTSTART:19701025T030000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
TZNAME:MEZ
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU
END:STANDARD
END:VTIMEZONE
"""


def event(owner: str, *lines: str, name: str = "VEVENT") -> str:
    whole = [
        f"BEGIN:{name}",
        "UID:1",
        "DTSTAMP:20260701T100000Z",
        "DTSTART:20260701T100000Z",
        f"ORGANIZER;CN=Name:mailto:{owner}@example.org",
        *lines,
        f"END:{name}",
    ]
    return "".join(f"{line}\n" for line in whole)


def calendar(*parts: str, head: str = "", end: str = "\r\n") -> bytes:
    text = f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//a//b\n{head}{''.join(parts)}END:VCALENDAR\n"
    return text.replace("\n", end).encode()


def read_by_icalendar(body: bytes) -> list[str]:
    events = [each for part in peer.Calendar.from_ical(body, multiple=True) for each in part.events]
    return [str(each["ORGANIZER"]).removeprefix("mailto:") for each in events]


def read_by_vobject(body: bytes) -> list[str]:
    return [
        each.organizer.value.removeprefix("mailto:")
        for part in vobject.readComponents(body.decode())
        for each in part.contents.get("vevent", ())
    ]


def test_each_component_is_a_record() -> None:
    body = calendar(ZONE, event("me"), event("you"), event("you", name="VTODO"), event("me"))
    assert CALENDARS.owners(body, BY_ORGANIZER) == {("me@example.org",): 2, ("you@example.org",): 2}
    kept, counts = CALENDARS.rewrite(body, BY_ORGANIZER, permit(ME))
    assert kept == calendar(ZONE, event("me"), event("me"))
    assert counts == Counts(seen=4, released=2, redacted=2)
    assert read_by_icalendar(kept) == read_by_vobject(kept) == ["me@example.org"] * 2


def test_several_calendars_are_one_body() -> None:
    body = calendar(event("me")) + calendar(event("you"), head="METHOD:PUBLISH\n")
    kept, _ = CALENDARS.rewrite(body, BY_ORGANIZER, permit(ME))
    assert kept == calendar(event("me")) + calendar(head="METHOD:PUBLISH\n")


def test_a_calendar_whose_components_all_go_stays_empty() -> None:
    kept, counts = CALENDARS.rewrite(calendar(event("you")), BY_ORGANIZER, permit(ME))
    assert (kept, counts.released) == (calendar(), 0)
    assert CALENDARS.owners(kept, BY_ORGANIZER) == {}
    assert read_by_icalendar(kept) == read_by_vobject(kept) == []
    assert CALENDARS.refusal(b"", BY_ORGANIZER) is Code.BODY_INCOMPLETE


def test_what_a_calendar_says_of_itself_is_a_record_of_nobody() -> None:
    head = "X-WR-CALNAME:you@example.org\nNAME;X-A=you:you\nMETHOD:PUBLISH\n"
    body = calendar(event("me"), head=head)
    assert CALENDARS.owners(body, BY_ORGANIZER) == {(): 1, ("me@example.org",): 1}
    kept, counts = CALENDARS.rewrite(body, BY_ORGANIZER, permit(ME))
    assert kept == calendar(event("me"), head="METHOD:PUBLISH\n")
    assert (counts.seen, counts.released) == (2, 1)
    assert CALENDARS.rewrite(body, BY_ORGANIZER, permit(ME, unattributed=True))[0] == body


def test_a_technical_property_with_a_text_of_somebody_s_does_not_stay() -> None:
    body = calendar(event("me"), head="METHOD;X-BY=you:PUBLISH\nCOLOR;VALUE=TEXT:red\n")
    kept, _ = CALENDARS.rewrite(body, BY_ORGANIZER, permit(ME))
    assert kept == calendar(event("me"), head="COLOR;VALUE=TEXT:red\n")


def test_a_calendar_s_name_may_own_all_that_is_in_it() -> None:
    mine = calendar(event("a"), ZONE, event("b"), head="X-WR-CALNAME:me@example.org\nNAME:n\n")
    foreign = calendar(event("me"), head="X-WR-CALNAME:you@example.org\n")
    tally = CALENDARS.inspect(mine + foreign, BY_NAME)
    assert {(g.owners[0].value, g.attribution, g.records) for g in tally.groups} == {
        ("me@example.org", Attribution.DIRECT, 1),
        ("me@example.org", Attribution.CONTAINER, 2),
        ("you@example.org", Attribution.DIRECT, 1),
        ("you@example.org", Attribution.CONTAINER, 1),
    }
    assert CALENDARS.rewrite(mine + foreign, BY_NAME, permit(ME))[0] == mine + calendar()
    assert CALENDARS.owners(calendar(event("me")), BY_NAME) == {(): 1}


def test_an_alarm_s_attendee_is_only_mentioned() -> None:
    alarm = "BEGIN:VALARM\nACTION:EMAIL\nATTENDEE:mailto:me@example.org\nEND:VALARM"
    spec = BodySpec(Name.ICALENDAR, subject=({"email": ("ATTENDEE",)},))
    assert CALENDARS.owners(calendar(event("x", alarm)), spec) == {(): 1}
    both = calendar(event("x", "ATTENDEE:mailto:you@example.org", alarm))
    assert CALENDARS.owners(both, spec) == {("you@example.org",): 1}


def test_every_attendee_is_an_owner() -> None:
    spec = BodySpec(Name.ICALENDAR, subject=({"email": ("ATTENDEE",)},))
    lines = ('ATTENDEE;CN="a:b":MAILTO:me@example.org', "ATTENDEE:mailto:you@example.org")
    assert CALENDARS.owners(calendar(event("x", *lines)), spec) == {
        ("me@example.org", "you@example.org"): 1
    }
    other = CALENDARS.owners(calendar(event("x", "ATTENDEE:urn:uuid:7")), spec)
    assert other == {("urn:uuid:7",): 1}


def test_a_time_zone_that_says_more_is_a_record() -> None:
    german = calendar(ZONE.replace("TZNAME", "TZNAME;LANGUAGE=de"))
    assert CALENDARS.owners(german, BY_ORGANIZER) == {}
    for line in ("COMMENT:you", "TZNAME;X-BY=you:a", "X-YOU:a"):
        zone = ZONE.replace("END:STANDARD", f"{line}\nEND:STANDARD")
        body = calendar(zone, event("me"))
        assert CALENDARS.owners(body, BY_ORGANIZER) == {(): 1, ("me@example.org",): 1}
        assert CALENDARS.rewrite(body, BY_ORGANIZER, permit(ME))[0] == calendar(event("me"))


def test_a_fold_inside_a_character_is_read_as_rfc_5545_says() -> None:
    body = calendar(event("me", "SUMMARY:é"), event("you")).replace(b"\xc3\xa9", b"\xc3\r\n \xa9")
    kept, _ = CALENDARS.rewrite(body, BY_ORGANIZER, permit(ME))
    assert b"\xc3\r\n \xa9" in kept and b"you" not in kept


@pytest.mark.parametrize(
    ("parts", "code"),
    [
        ([event("me", "BEGIN:VEVENT", "ORGANIZER:you", "END:VEVENT")], Code.BODY_AMBIGUOUS),
        ([event("me", "BEGIN:VCALENDAR", "END:VCALENDAR")], Code.BODY_AMBIGUOUS),
        ([event("me", "BEGIN:X-A", "END:X-A")], Code.BODY_AMBIGUOUS),
        (["BEGIN:VALARM\nEND:VALARM\n"], Code.BODY_AMBIGUOUS),
        ([event("me"), "X-A:b\n"], Code.BODY_AMBIGUOUS),
        ([event("me"), "VERSION:2.0\n"], Code.BODY_AMBIGUOUS),
        ([event("me", "begin:VALARM")], Code.BODY_AMBIGUOUS),
        (["Begin:VEVENT\n"], Code.BODY_AMBIGUOUS),
        (["VERSION:2.0\n"], Code.BODY_MALFORMED),
        ([event("me", "ORGANIZER;CHARSET=UTF-16:a")], Code.BODY_AMBIGUOUS),
        ([event("me", "SUMMARY;ENCODING=QUOTED-PRINTABLE:a")], Code.BODY_AMBIGUOUS),
        ([event("me", "ORGANIZER:mailto:a%40b")], Code.BODY_AMBIGUOUS),
        ([event("me", "ORGANIZER:mailto:a?subject=b")], Code.BODY_AMBIGUOUS),
        ([event("me", "ORGANIZER;ENCODING=BASE64:YQ==")], Code.BODY_AMBIGUOUS),
        ([event("me", "a.SUMMARY:b")], Code.BODY_MALFORMED),
        (["END:VCALENDAR\nBEGIN:VEVENT\nEND:VEVENT\nBEGIN:VCALENDAR\n"], Code.BODY_MALFORMED),
        (["END:VCALENDAR\nBEGIN:VCALENDAR\n"], Code.BODY_MALFORMED),
        ([event("me", "BEGIN:VALARM")], Code.BODY_MALFORMED),
        (["\n"], Code.BODY_AMBIGUOUS),
    ],
)
def test_what_readers_take_differently_is_refused(parts: list[str], code: Code) -> None:
    assert CALENDARS.refusal(calendar(*parts), BY_ORGANIZER) is code
    assert CALENDARS.owners(calendar(event("me")), BY_ORGANIZER) == {("me@example.org",): 1}


@pytest.mark.parametrize("version", ["", "VERSION:1.0\n", "VERSION;X=1:2.0\n", "VERSION:2.0;3\n"])
def test_another_version_is_malformed(version: str) -> None:
    body = calendar(event("me"), end="\n").replace(b"VERSION:2.0\n", version.encode())
    assert CALENDARS.refusal(body, BY_ORGANIZER) is Code.BODY_MALFORMED


def test_a_cut_calendar_is_incomplete() -> None:
    body = calendar(event("me"))
    assert CALENDARS.owners(body[:-2], BY_ORGANIZER) == {("me@example.org",): 1}
    for length in range(1, len(body) - 2, 5):
        assert CALENDARS.refusal(body[:length], BY_ORGANIZER) is Code.BODY_INCOMPLETE, length


def test_masks_empty_text_in_the_component_and_its_alarms() -> None:
    alarm = "BEGIN:VALARM\nDESCRIPTION:b\nEND:VALARM"
    body = calendar(event("me", 'DESCRIPTION;ALTREP="cid:a":a', "SUMMARY:c", alarm))
    kept, _ = CALENDARS.rewrite(body, BY_ORGANIZER, permit(ME, mask=("$.DESCRIPTION",)))
    blank = alarm.replace(":b", ":")
    assert kept == calendar(event("me", "DESCRIPTION:", "SUMMARY:c", blank))
    assert read_by_icalendar(kept) == read_by_vobject(kept) == ["me@example.org"]
    for mask in ("$.DTSTART", "$.UID", "$.ATTENDEE", "$.ORGANIZER"):
        with pytest.raises(BadUpstream) as caught:
            CALENDARS.rewrite(body, BY_ORGANIZER, permit(ME, mask=(mask,)))
        assert caught.value.code is Code.REDACTION_UNSUPPORTED


def test_a_component_and_a_head_are_bounded() -> None:
    small = Format(icalendar, Limits(record=200, fields=5))
    long = event("me", *[f"X-A:{n:040}" for n in range(9)])
    assert small.refusal(calendar(long), BY_ORGANIZER) is Code.BODY_TOO_LARGE
    head = "".join(f"X-A{n}:b\n" for n in range(9))
    assert small.refusal(calendar(head=head), BY_ORGANIZER) is Code.BODY_TOO_COMPLEX


@settings(max_examples=100, deadline=None)
@given(
    owners=st.lists(st.sampled_from(["me", "you", "other"]), max_size=8),
    summary=st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1),
    zone=st.booleans(),
    end=st.sampled_from(["\n", "\r\n"]),
    chunk=st.integers(1, 60),
)
def test_kept_components_are_byte_identical_and_others_gone(
    owners: list[str], summary: str, zone: bool, end: str, chunk: int
) -> None:
    text = peer.vText(summary.replace("\ufeff", "")).to_ical().decode()
    events = [event(owner, f"SUMMARY:{text}") for owner in owners]
    head = ZONE if zone else ""
    reader = Format(icalendar, chunk=chunk)
    kept, counts = reader.rewrite(calendar(head, *events, end=end), BY_ORGANIZER, permit(ME))
    mine = [each for each, owner in zip(events, owners, strict=True) if owner == "me"]
    assert kept == calendar(head, *mine, end=end)
    assert (counts.seen, counts.released) == (len(owners), len(mine))
    assert read_by_icalendar(kept) == ["me@example.org"] * len(mine)
