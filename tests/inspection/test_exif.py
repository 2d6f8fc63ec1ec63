"""The texts of an image's EXIF."""

import random
from io import BytesIO

import pytest
from PIL import Image

from gateway.errors import BadUpstream, Code
from gateway.inspection import exif
from tests.fuzz.mutator import mutated
from tests.support.documents import jpeg, tiff

ARTIST, ASCII = exif.TAGS["Artist"], 2


def code(data: bytes) -> Code:
    with pytest.raises(BadUpstream) as caught:
        exif.read(data, ["Artist"])
    assert "canary" not in caught.value.note
    return caught.value.code


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("value", ["A1", "ABC", "a longer one"])
def test_a_text_is_found_in_both_orders_of_bytes(order: str, value: str) -> None:
    data = tiff((0x0100, 4, b"1234"), (ARTIST, ASCII, value.encode() + b"\0"), order=order)
    assert exif.read(data, ["Artist", "Copyright"]) == {"Artist": [value]}


def test_of_no_exif_there_are_no_texts() -> None:
    assert exif.read(b"", ["Artist"]) == {}
    assert exif.read(tiff(), ["Artist"]) == {}


@pytest.mark.parametrize(
    "entries",
    [
        [(ARTIST, ASCII, b"A1\0"), (ARTIST, ASCII, b"canary\0")],
        [(ARTIST, ASCII, b"A1\0"), (0x0100, 4, b"1234"), (0x0100, 4, b"1234")],
        [(ARTIST, 7, b"A1\0")],
        [(ARTIST, ASCII, b"A1")],
        [(ARTIST, ASCII, b"A1\0canary\0")],
        [(ARTIST, ASCII, b"Zo\xeb\0")],
        [(ARTIST, ASCII, b"")],
    ],
)
def test_what_readers_read_differently_is_ambiguous(entries: list[tuple[int, int, bytes]]) -> None:
    assert code(tiff(*entries)) is Code.BODY_AMBIGUOUS


@pytest.mark.parametrize(
    "data",
    [
        b"canary",
        b"II*\0",
        tiff((ARTIST, ASCII, b"A1\0"))[:12],
        tiff((ARTIST, ASCII, b"a longer one\0"))[:-1],
        b"II*\0\xff\xff\xff\xff",
    ],
)
def test_a_cut_or_broken_one_is_malformed(data: bytes) -> None:
    assert code(data) is Code.BODY_MALFORMED


def test_pillow_finds_the_same_in_whatever_is_read() -> None:
    structure = jpeg("A longer one")
    begin = structure.index(b"Exif\0\0") + 6
    seeds = [structure[begin : begin + 60], tiff((ARTIST, ASCII, b"A1\0"), order=">")]
    read = 0
    for number in range(600):
        data = mutated(seeds, random.Random(number))
        try:
            ours = exif.read(data, ["Artist"]).get("Artist")
        except BadUpstream:
            continue
        if ours:
            theirs = Image.Exif()
            try:
                theirs.load(b"Exif\0\0" + data)
            except (OSError, UserWarning):  # what it warns of is an error in tests
                continue
            assert theirs.get(ARTIST) == ours[0], (number, data)
            read += 1
    assert read > 20


def test_what_pillow_writes_is_what_is_read() -> None:
    for value in ("A1", "ABC", "x" * 1000):
        with Image.open(BytesIO(jpeg(value))) as image:
            assert exif.read(image.info["exif"].removeprefix(b"Exif\0\0"), ["Artist"]) == {
                "Artist": [value]
            }
