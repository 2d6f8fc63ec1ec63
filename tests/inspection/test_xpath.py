"""XPath locators: what the subset has, and what it says where it has no more."""

import pytest

from gateway.inspection.locators import LocatorError
from gateway.inspection.xpath import (
    SEPARATOR,
    Path,
    check,
    compile,
    compile_mask,
    compile_records,
    local,
)

RECORDS = ("export", "account", "order")
NAMESPACES = {"a": "urn:a"}


def test_records_stand_at_an_absolute_path() -> None:
    assert compile_records("/export/order", {}) == ("export", "order")
    assert compile_records("/a:b/c/*", NAMESPACES) == (f"urn:a{SEPARATOR}b", "c", None)
    assert compile_records("/b", {"": "urn:x"}) == (f"urn:x{SEPARATOR}b",)
    assert compile_records("$", {}) == compile_records("/*", {}) == (None,)


@pytest.mark.parametrize(
    ("locator", "said"),
    [
        ("order", "absolute path"),
        ("$.order", "absolute path"),
        ("/", "an empty step"),
        ("//order", "an empty step"),
        ("/export/", "an empty step"),
        ("/*/order", "only the last step"),
        ("/b:export", "no prefix b"),
        ("/export[1]", "is no name"),
        ("/export/@id", "is no name"),
        ("/export/text()", "is no name"),
        ("/export/..", "is no name"),
        ("/a:b:c", "is no name"),
        ("/1a", "is no name"),
        ("/a\x1fb", "is no name"),
    ],
)
def test_what_is_no_path_of_records_is_said(locator: str, said: str) -> None:
    with pytest.raises(LocatorError, match=said):
        compile_records(locator, NAMESPACES)


@pytest.mark.parametrize(
    ("locator", "expected"),
    [
        (".", Path(0, (), ())),
        ("id", Path(0, ("id",), ())),
        ("a:b/*/c-d.e", Path(0, (f"urn:a{SEPARATOR}b", None, "c-d.e"), ())),
        ("@id", Path(0, (), ("id",))),
        ("b/@a:id", Path(0, ("b",), (f"urn:a{SEPARATOR}id",))),
        ("id/@root^@extension", Path(0, ("id",), ("root", "extension"))),
        ("../@id", Path(1, (), ("id",))),
        ("../../holder/id", Path(2, ("holder", "id"), ())),
    ],
)
def test_a_locator_is_relative_to_its_record(locator: str, expected: Path) -> None:
    assert compile(locator, RECORDS, NAMESPACES) == expected
    check(locator)


def test_a_default_namespace_is_one_of_elements_only() -> None:
    assert compile("b/@id", RECORDS, {"": "urn:x"}) == Path(0, (f"urn:x{SEPARATOR}b",), ("id",))
    xml = f"http://www.w3.org/XML/1998/namespace{SEPARATOR}lang"
    assert compile("@xml:lang", RECORDS, {}) == Path(0, (), (xml,))


@pytest.mark.parametrize(
    ("locator", "said"),
    [
        ("", "an empty step"),
        ("..", "an empty step"),
        ("../..", "an empty step"),
        ("../.", "is no name"),
        ("./id", "is no name"),
        ("a/../b", "is no name"),
        ("id/", "an empty step"),
        ("@", "an empty step"),
        ("@*", "is no name"),
        ("@id/b", "is no name"),
        ("@a^b", "expected @name"),
        ("@a^@a", "with itself"),
        ("@b:id", "no prefix b"),
        ("id[1]", "is no name"),
        ("id | other", "is no name"),
        ("$.id", "is no name"),
        ("../../../@id", "climbs too far"),
        ("../order/@id", "comes down where the records stand"),
        ("../../account/@id", "comes down where the records stand"),
        ("../*/id", "comes down where the records stand"),
    ],
)
def test_what_is_no_locator_is_said(locator: str, said: str) -> None:
    with pytest.raises(LocatorError, match=said):
        compile(locator, RECORDS, NAMESPACES)


def test_whatever_the_records_and_prefixes_are_nonsense_is_found() -> None:
    for good in ("$", "/export/order", "/x:a/*", "../../../x:a/@y:b", "."):
        assert check(good)
    for bad in ("/a//b", "a b", "$.id", "../*/id"):
        with pytest.raises(LocatorError):
            check(bad)


def test_a_mask_is_json_path() -> None:
    assert compile_mask("$.contacts[*].phone", {}) == Path(0, ("contacts", "phone"), ())
    assert compile_mask("$['a:b'].*['@id']", NAMESPACES) == Path(
        0, (f"urn:a{SEPARATOR}b", None), ("id",)
    )
    for bad in ("phone", "$['a b']", "$['b:c']", "$['@a'].b", "$['@a'][*].b"):
        with pytest.raises(LocatorError):
            compile_mask(bad, NAMESPACES)


def test_the_local_part_of_a_name_is_behind_its_namespace() -> None:
    assert local(f"urn:a{SEPARATOR}b") == local("b") == "b"
