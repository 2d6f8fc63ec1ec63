"""What may be written at the keys of a body's configuration."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from gateway.inspection import writable


@pytest.mark.parametrize(
    ("kind", "written", "read"),
    [
        (writable.Locators, "$.a", ("$.a",)),
        (writable.Locators, ["$.a", "$.b"], ("$.a", "$.b")),
        (writable.Owners, {"account": "$.a"}, ({"account": ("$.a",)},)),
        (writable.Bases, "https://fhir.example/r4", ("https://fhir.example/r4",)),
        (writable.Encoding, "auto", "auto"),
        (writable.Delimiter, ";", ";"),
        (writable.Preamble, 100, 100),
        (writable.MemberName, "REMOVED.txt", "REMOVED.txt"),
        (writable.MediaType, "application/vnd.acme+json", "application/vnd.acme+json"),
    ],
)
def test_what_may_be_written_is_read(kind: Any, written: object, read: object) -> None:
    assert TypeAdapter(kind).validate_python(written) == read


@pytest.mark.parametrize(
    ("kind", "written"),
    [
        (writable.Locators, []),
        (writable.Locators, ""),
        (writable.Locator, "$" * 1025),
        (writable.Owners, {}),
        (writable.Bases, "ftp://fhir.example"),
        (writable.Encoding, "klingon"),
        (writable.Delimiter, "ab"),
        (writable.Quote, "a"),
        (writable.Preamble, 101),
        (writable.MemberName, "../x"),
        (writable.MediaType, "Text/HTML; charset=x"),
        (writable.Categories, {"Patiant": "x"}),
        (writable.FieldName, "X Account"),
    ],
)
def test_what_may_not_be_written_is_a_fault(kind: Any, written: object) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(kind).validate_python(written)
