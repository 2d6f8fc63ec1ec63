"""The fields of records."""

from typing import Any

from gateway.model import Format
from gateway.workbench.infer.fields import Field, agreeing, fields, telling
from gateway.workbench.infer.shapes import places
from gateway.workbench.infer.specimens import Contents


def of(*samples: list[Any]) -> dict[str, Field]:
    (place,) = places(Format.NDJSON, [Contents(each) for each in samples])
    return {field.locator: field for field in fields(place)}


def test_a_field_has_an_entry_for_each_record() -> None:
    found = of([{"a": {"id": 1}}, {"b": [{"c": 2}, {"c": 3}]}, {"a": {"id": 1}, "b": [{"c": 2}]}])
    assert found["$.a.id"].values == ((1,), (), (1,))
    assert found["$.b[*].c"].values == ((), (2, 3), (2,))
    assert found["$.b[*].c"].several and not found["$.a.id"].several
    assert (found["$.a.id"].present, found["$.a.id"].distinct) == (2, 1)


def test_null_is_no_value_and_no_identifier() -> None:
    field = of([{"a": None}, {"a": "x"}, {"a": 1.5}])["$.a"]
    assert (field.present, field.unfit, field.exact) == (2, 2, ("x",))


def test_a_number_and_its_text_are_two_values() -> None:
    assert of([{"a": 1}, {"a": "1"}])["$.a"].distinct == 2


def test_one_value_in_each_sample_varies() -> None:
    assert of([{"a": 1}, {"a": 1}], [{"a": 2}])["$.a"].varies
    assert not of([{"a": 1}], [{"a": 1}])["$.a"].varies
    assert not of([{"a": 1}, {"a": 2}])["$.a"].varies


def test_fields_agree_only_where_it_is_no_accident() -> None:
    found = of([{"a": 1, "b": 1, "c": 7}, {"a": 2, "b": 2, "c": 7}])
    assert telling(found["$.a"], [*found.values()]) == (found["$.b"],)
    once = of([{"a": 1, "b": 1, "c": "A-1000001", "d": "A-1000001"}])
    assert not agreeing(once["$.a"], once["$.b"])
    assert agreeing(once["$.c"], once["$.d"])
