"""Locators that climb: how they are read, and whom they name. See also `formats/test_json.py`."""

from typing import Any

import pytest

from gateway.errors import BadUpstream, Code
from gateway.inspection.jsonlineage import Climb, Lineage, climb, found_above
from gateway.inspection.locators import Attributor, LocatorError, Wildcard
from gateway.inspection.settings import BodySpec
from gateway.model import Attribution, Format, SubjectRef

ME = SubjectRef("account", "me")


def lineage(*texts: str, more: tuple[str, ...] = ()) -> Lineage:
    return Lineage(BodySpec(Format.JSON, subject=({"account": texts},)), more)


def test_a_locator_climbs_by_containers_and_may_ask_for_a_name() -> None:
    assert climb("$^^.a[*].b", "7") == Climb(
        "$^^.a[*].b", "7", 2, False, ("a", Wildcard.ELEMENTS, "b")
    )
    assert climb("$^~", "7") == Climb("$^~", "7", 1, True, ())
    assert climb("$~", "7") == Climb("$~", "name", 0, True, ())
    assert climb("$.a") is None and climb("$") is None and climb("$['^~']") is None


@pytest.mark.parametrize(
    "text",
    ["$^", "$^^", "$^[*]", "$^.*.x", "$~.a", "$~~", "$~^", "$.a^", "$.a~", "^.a", "a", "$^^a"],
)
def test_what_climbs_to_nothing_is_a_fault(text: str) -> None:
    with pytest.raises(LocatorError):
        climb(text)


def test_a_record_and_what_stands_above_it_are_one_value_for_locators() -> None:
    found = lineage("$^^.id", "$.owner", "$~")
    attributor = Attributor(found.subject)
    (whole,) = found.whole([{"owner": "me"}], ["me"], {"0.0": "me"})
    assert attributor.of(whole) == (ME,)
    (other,) = found.whole([{"owner": "me"}], ["me"], {})
    assert attributor.of(other) == ()
    (odd,) = found.whole([{"owner": "me"}], ["you"], {"0.0": "me"})
    with pytest.raises(BadUpstream) as caught:
        attributor.of(odd)
    assert caught.value.code is Code.BODY_AMBIGUOUS


def test_without_one_that_climbs_nothing_changes() -> None:
    plain, records = lineage("$.owner"), [{"owner": "me"}]
    assert plain.whole(records, None, {}) is records
    assert plain.subject == ({"account": ("$.owner",)},)
    assert (plain.climbs, plain.attribution) == ((), Attribution.DIRECT)


def test_who_is_named_only_above_the_records_contains_them() -> None:
    assert lineage("$^^.id").attribution is Attribution.CONTAINER
    assert lineage("$^^.id", "$.owner").attribution is Attribution.DIRECT
    assert lineage("$~").attribution is Attribution.DIRECT


def test_whoever_is_named_is_named_exactly() -> None:
    found = lineage("$^^.id", "$^^.more[*]")
    assert found.named({}) == ()
    assert found.named({"0.0": "me", "0.1": ["me", 2]}) == (ME, SubjectRef("account", 2))
    value: Any
    for value in (None, 1.0, True, "", ["me"], {"id": "me"}):
        with pytest.raises(BadUpstream):
            found.named({"0.0": value})


def test_what_is_looked_for_above_is_whole_or_not_there() -> None:
    wanted = [("0", ("id",)), ("1", (Wildcard.ELEMENTS, "id"))]
    assert found_above({"id": "me"}, wanted) == {"0": "me"}
    assert found_above([{"id": "me"}, {"id": "you"}], wanted) == {"1": ["me", "you"]}
    assert found_above([{"id": "me"}, {}], wanted) == {}
    with pytest.raises(BadUpstream):
        found_above({"id": "me", "ID": "you"}, wanted)
    many = [{"id": number} for number in range(17)]
    assert len(found_above(many[:16], wanted)["1"]) == 16
    with pytest.raises(BadUpstream) as caught:
        found_above(many, wanted)
    assert caught.value.code is Code.BODY_TOO_COMPLEX
