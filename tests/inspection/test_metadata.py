"""The owner of a file, as its metadata names them."""

import pytest

from gateway.errors import BadUpstream, Code
from gateway.inspection import metadata
from gateway.inspection.locators import LocatorError
from gateway.model import SubjectRef
from tests.support.documents import described, jpeg, pdf, png

A1 = (SubjectRef("account", "A1"),)


def owners(data: bytes, *texts: str) -> tuple[SubjectRef, ...]:
    return metadata.owners_of(data, ({"account": texts},))


def code(data: bytes, *texts: str) -> Code:
    with pytest.raises(BadUpstream) as caught:
        owners(data, *texts)
    assert "canary" not in caught.value.note
    return caught.value.code


def test_a_locator_names_a_kind_of_file_and_a_text_in_it() -> None:
    assert metadata.compile("pdf:Subject") == ("pdf", "Subject")
    assert metadata.compile("png:Creation Time") == ("png", "Creation Time")
    for text in ("$.a", "pdf:", "gif:Comment", "pdf: a", "pdf:a ", "pdf:/Subject", "exif:Subject"):
        with pytest.raises(LocatorError):
            metadata.compile(text)
    assert [metadata.needs_library(text) for text in ("pdf:A", "png:A")] == [True, False]


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (pdf(), "pdf:Subject"),
        (pdf(packet=described("A1")), "pdf:Subject"),
        (png({"Author": "A1"}), "png:Author"),
        (png({}, artist="A1"), "exif:Artist"),
        (jpeg("A1"), "exif:Artist"),
    ],
)
def test_each_kind_of_file_names_its_owner_and_no_other_locator_finds_one(
    data: bytes, text: str
) -> None:
    assert owners(data, text) == A1
    assert owners(data, "pdf:Missing") == owners(data, "png:Missing") == ()
    assert owners(data, "exif:Copyright") == ()


@pytest.mark.parametrize("data", [b"", b"GIF89a", b"RIFF....WAVE", b"A1"])
def test_a_file_of_no_known_kind_is_nobodys(data: bytes) -> None:
    assert owners(data, "pdf:Subject") == owners(data, "png:Author", "exif:Artist") == ()


def test_two_places_that_disagree_are_ambiguous() -> None:
    assert code(pdf(packet=described("canary")), "pdf:Subject") is Code.BODY_AMBIGUOUS
    assert code(png({"Author": "A1"}, artist="canary"), "png:Author", "exif:Artist") is (
        Code.BODY_AMBIGUOUS
    )
    assert owners(png({"Author": "A1"}, artist="A1"), "png:Author", "exif:Artist") == A1
    assert owners(png({"Author": "A1"}), "png:Author", "exif:Artist") == ()


@pytest.mark.parametrize("value", ["", "a\nb"])
def test_what_is_no_identifier_is_ambiguous(value: str) -> None:
    assert code(png({"Author": value}), "png:Author") is Code.BODY_AMBIGUOUS


def test_a_file_that_is_a_pdf_for_some_readers_is_ambiguous() -> None:
    assert code(png({"Author": "A1", "x": "%PDF-1.7"}), "png:Author") is Code.BODY_AMBIGUOUS
    assert code(b"canary\n" + pdf(), "pdf:Subject") is Code.BODY_AMBIGUOUS
