"""Compiled locators: whose a record is by what they found."""

import pytest

from gateway.errors import BadUpstream, Code
from gateway.inspection.locators import LocatorError
from gateway.inspection.settings import BodySpec
from gateway.inspection.xmlpaths import Found
from gateway.inspection.xmlplan import Plan
from gateway.model import Attribution, Format, SubjectRef
from tests.support.reading import masks


def spec(*subject: dict[str, tuple[str, ...]], records: str = "/a/b/c") -> BodySpec:
    return BodySpec(Format.XML, records=records, subject=subject)


def found(*values: str, whole: bool = True) -> Found:
    made = Found()
    made.values, made.whole = dict.fromkeys(values), whole
    return made


def test_locators_of_one_kind_must_agree() -> None:
    plan = Plan(spec({"account": ("@id", "id")}))
    assert plan.owners([found("1"), found("1")]) == (SubjectRef("account", "1"),)
    assert plan.owners([found("1", "2"), found("2", "1")]) == (
        SubjectRef("account", "1"),
        SubjectRef("account", "2"),
    )
    assert plan.owners([found("1"), found()]) == ()
    assert plan.owners([found("1"), found("1", whole=False)]) == ()
    for other in (("2",), ("1", "2")):
        with pytest.raises(BadUpstream) as refused:
            plan.owners([found("1"), found(*other)])
        assert refused.value.code is Code.BODY_AMBIGUOUS


def test_every_kind_must_be_found() -> None:
    plan = Plan(spec({"account": ("@id",)}, {"account": ("@to",), "email": ("@id",)}))
    assert plan.owners([found("1"), found("2")]) == (
        SubjectRef("account", "1"),
        SubjectRef("account", "2"),
        SubjectRef("email", "1"),
    )
    assert plan.owners([found(), found("2")]) == ()
    assert Plan(spec()).owners([]) == ()


def test_a_record_is_its_containers_where_only_that_names_an_owner() -> None:
    assert Plan(spec({"account": ("../@id",)})).attribution is Attribution.CONTAINER
    assert Plan(spec({"account": ("../@id", "@id")})).attribution is Attribution.DIRECT
    both = Plan(spec({"account": ("@id",), "email": ("../@mail",)}))
    assert both.attribution is Attribution.CONTAINER
    assert both.climbing(2) == [(1, both.paths[1])] and both.climbing(1) == []


def test_who_is_named_above_the_records_is_whoever_was_found_there() -> None:
    plan = Plan(spec({"account": ("../@id", "../x"), "email": ("@mail",)}))
    named = plan.named({0: found(), 1: found("2", "3", whole=False)})
    assert named == (SubjectRef("account", "2"), SubjectRef("account", "3"))


def test_a_plan_that_can_not_be_is_said() -> None:
    with pytest.raises(LocatorError):
        Plan(spec({"account": ("../../../@id",)}))
    with pytest.raises(BadUpstream) as refused:
        Plan(spec(), masks=masks("$['x y']"))
    assert refused.value.code is Code.REDACTION_UNSUPPORTED
    assert Plan(spec(), masks=masks("$[*]")).masks == {}
