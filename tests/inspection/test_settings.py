"""What an endpoint's configuration may say about its body."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from gateway.inspection.settings import BodySpec, InspectionSettings, Limits, MemberSpec
from gateway.model import Attribution, Format

BODY = TypeAdapter(BodySpec)
LIMITS = TypeAdapter(Limits)


def faults(adapter: TypeAdapter[Any], value: dict[str, Any]) -> set[str]:
    """The places that validation complains about."""
    with pytest.raises(ValidationError) as caught:
        adapter.validate_python(value)
    return {".".join(map(str, error["loc"])) for error in caught.value.errors()}


def test_the_example_of_the_design_is_read() -> None:
    spec = BODY.validate_python(
        {
            "format": "zip",
            "members": [
                {
                    "match": "manifest.json",
                    "format": "json",
                    "records": "$.recordings[*]",
                    "subject": {"account": "$.customer_id"},
                    "vouches_for": "$.file",
                },
                {"match": "recordings/*.wav", "attribution": "manifest"},
                {
                    "match": "transcripts.csv",
                    "format": "csv",
                    "subject": {"account": "customer_id"},
                },
            ],
        }
    )
    manifest, recordings, transcripts = spec.members
    assert manifest.subject == ({"account": ("$.customer_id",)},)
    assert recordings == MemberSpec("recordings/*.wav", attribution=Attribution.MANIFEST)
    assert recordings.format is Format.OPAQUE
    assert transcripts.format is Format.CSV


def test_one_owner_or_several_and_one_locator_or_several() -> None:
    one = BODY.validate_python({"format": "json", "subject": {"account": "$.id"}})
    assert one.subject == ({"account": ("$.id",)},)
    several = BODY.validate_python(
        {"format": "json", "subject": [{"account": ["$.a", "$.b"]}, {"email": "$.c"}]}
    )
    assert several.subject == ({"account": ("$.a", "$.b")}, {"email": ("$.c",)})


@pytest.mark.parametrize(
    "subject", [{"account": []}, {"account": ""}, {}, [{}], {"account": 1}, {"account": "$" * 1025}]
)
def test_an_owner_without_a_locator_is_a_fault(subject: Any) -> None:
    assert any(
        place.startswith("subject")
        for place in faults(BODY, {"format": "json", "subject": subject})
    )


def test_an_unknown_key_is_a_fault() -> None:
    assert faults(BODY, {"format": "csv", "delimeter": ";"}) == {"delimeter"}
    assert faults(LIMITS, {"recrod": "1MiB"}) == {"recrod"}
    assert faults(TypeAdapter(InspectionSettings), {"worker": 2}) == {"worker"}


def test_an_unknown_format_is_a_fault() -> None:
    assert faults(BODY, {"format": "docx"}) == {"format"}
    assert faults(BODY, {}) == {"format"}


@pytest.mark.parametrize("character", [",", ";", "\t", "|", "'", "^", "]", "[", "-", "~", "_"])
def test_cells_are_parted_by_one_punctuation_character(character: str) -> None:
    spec = BODY.validate_python({"format": "csv", "delimiter": character, "quote": character})
    assert spec.delimiter == spec.quote == character


@pytest.mark.parametrize("character", ["", ",,", "a", "7", " ", "\n", "\r", "\\", "\0", "§", ",\n"])
def test_anything_else_that_parts_cells_is_a_fault(character: str) -> None:
    value = {"format": "csv", "delimiter": character, "quote": character}
    assert faults(BODY, value) == {"delimiter", "quote"}


def test_only_known_encodings_are_named() -> None:
    assert BODY.validate_python({"format": "csv", "encoding": "Latin-1"}).encoding == "Latin-1"
    assert faults(BODY, {"format": "csv", "encoding": "utf-7"}) == {"encoding"}


def test_limits_have_defaults_and_take_units() -> None:
    limits = LIMITS.validate_python({"body": "2GiB", "record": "1 MiB", "subjects": 10})
    assert (limits.body, limits.record, limits.subjects) == (2 * 2**30, 2**20, 10)
    assert limits.decoded == Limits().decoded


@pytest.mark.parametrize(
    ("name", "value"),
    [("body", 1024), ("record", "1"), ("ratio", 0), ("depth", 129), ("depth", 0), ("subjects", 0),
     ("subjects", "many"), ("members", -1), ("fields", 0), ("columns", 0), ("embedding_depth", 0),
     ("embedding_depth", 9)],
)  # fmt: skip
def test_a_limit_that_limits_nothing_or_has_no_unit_is_a_fault(name: str, value: Any) -> None:
    assert faults(LIMITS, {name: value}) == {name}


def test_a_document_is_at_one_place_or_on_a_way_through_others() -> None:
    body = {"format": "json", "embedded": [{"at": "$.a", "format": "json"}]}
    assert BODY.validate_python(body).embedded[0].at == ("$.a",)
    body["embedded"] = [{"at": ["$.a", "$.b"], "format": "csv", "when": {"type": "text/csv"}}]
    (spec,) = BODY.validate_python(body).embedded
    assert spec.at == ("$.a", "$.b") and spec.when == {"type": ("text/csv",)}
    for wrong in ({"at": []}, {"transfer": "rot13"}, {"compression": "bzip2"}, {"category": "a"}):
        document = {"at": "$.a", "format": "json", **wrong}
        assert faults(BODY, {"format": "json", "embedded": [document]})


def test_specifications_never_change() -> None:
    spec = BODY.validate_python({"format": "json"})
    with pytest.raises(AttributeError):
        spec.format = Format.CSV  # type: ignore[misc]
