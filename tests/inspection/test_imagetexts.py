"""The texts beside the pixels of an image."""

import io
import random
import tracemalloc
import zlib

import pytest
from PIL import Image

from gateway.errors import BadUpstream, Code
from gateway.inspection import imagetexts
from tests.fuzz.mutator import mutated
from tests.support.documents import chunk, exif_segment, jpeg, png, tiff, with_chunk, with_segment

NAMES = ("Author",)
PLAIN = png({})
ARTIST = tiff((0x013B, 2, b"A1\0"))


def code(data: bytes) -> Code:
    with pytest.raises(BadUpstream) as caught:
        imagetexts.png(data, NAMES)
    assert "canary" not in caught.value.note
    return caught.value.code


def test_texts_are_found_by_their_keywords() -> None:
    for packed in (False, True):
        data = png({"Author": "A1", "Title": "x"}, packed=packed)
        assert imagetexts.png(data, NAMES) == {"Author": ["A1"]}
    assert imagetexts.png(PLAIN, NAMES) == {}


@pytest.mark.parametrize(
    "new",
    [
        chunk(b"iTXt", b"Author\0\0\0en\0Author\0A1"),
        chunk(b"iTXt", b"Author\0\1\0\0\0" + zlib.compress(b"A1")),
        chunk(b"zTXt", b"Author\0\0" + zlib.compress(b"A1")),
        chunk(b"tEXt", b"Author\0A1"),
    ],
)
def test_each_kind_of_text_is_read(new: bytes) -> None:
    data = with_chunk(PLAIN, new)
    assert imagetexts.png(data, NAMES) == {"Author": ["A1"]}
    with Image.open(io.BytesIO(data)) as image:
        assert image.info["Author"] == "A1"


@pytest.mark.parametrize(
    "data",
    [
        with_chunk(png({"Author": "A1"}), chunk(b"tEXt", b"Author\0canary")),
        with_chunk(png({"Author": "A1"}), chunk(b"iTXt", b"Author\0\0\0\0\0canary")),
        with_chunk(PLAIN, chunk(b"tEXt", b"author\0canary")),
        with_chunk(PLAIN, chunk(b"tEXt", b"canary")),
        with_chunk(PLAIN, chunk(b"tEXt", b"Author\0canary"), before=b"IEND"),
        with_chunk(PLAIN, chunk(b"tEXt", b"Author\0Zo\xeb")),
        with_chunk(PLAIN, chunk(b"tEXt", b"Author\0" + b"x" * 5000)),
        PLAIN + b"canary",
        PLAIN[:-12] + chunk(b"IEND", b"canary"),
    ],
)
def test_what_readers_read_differently_is_ambiguous(data: bytes) -> None:
    assert code(data) is Code.BODY_AMBIGUOUS


@pytest.mark.parametrize(
    "data",
    [
        PLAIN[:20],
        PLAIN[:-1],
        PLAIN.replace(b"IHDR", b"JHDR"),
        with_chunk(PLAIN, chunk(b"IHDR", b"canary")),
        with_chunk(PLAIN, chunk(b"tEXt", b"Author\0A1")[:-1] + b"\0"),
        with_chunk(PLAIN, chunk(b"zTXt", b"Author\0\1" + zlib.compress(b"A1"))),
        with_chunk(PLAIN, chunk(b"zTXt", b"Author\0\0canary")),
        with_chunk(PLAIN, chunk(b"zTXt", b"Author\0\0" + zlib.compress(b"A1") + b"canary")),
        with_chunk(PLAIN, chunk(b"zTXt", b"Author\0\0" + zlib.compress(b"A1")[:-2])),
        with_chunk(PLAIN, chunk(b"iTXt", b"Author\0\2\0\0\0A1")),
        with_chunk(PLAIN, chunk(b"iTXt", b"Author\0\0\0A1")),
    ],
)
def test_a_cut_or_broken_image_is_malformed(data: bytes) -> None:
    assert code(data) is Code.BODY_MALFORMED


def test_bombs_cost_their_bytes() -> None:
    bomb = with_chunk(PLAIN, chunk(b"zTXt", b"Author\0\0" + zlib.compress(bytes(1 << 26))))
    huge = chunk(b"IHDR", b"\0\0\x40\0\0\0\x40\0\x08\x02\0\0\0") + PLAIN[33:]
    tracemalloc.start()
    assert code(bomb) is Code.BODY_TOO_LARGE
    named = with_chunk(PLAIN[:8] + huge, chunk(b"tEXt", b"Author\0A1"))
    assert imagetexts.png(named, NAMES) == {"Author": ["A1"]}
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 * 2**20
    crowd = with_chunk(PLAIN, chunk(b"tEXt", b"x\0") * 100_001)
    assert code(crowd) is Code.BODY_TOO_COMPLEX


def test_the_exif_of_an_image_is_found_once() -> None:
    assert imagetexts.exif_of_jpeg(jpeg("A1"))[:2] in (b"II", b"MM")
    assert imagetexts.exif_of_jpeg(jpeg(None)) == b""
    assert imagetexts.exif_of_png(png({}, artist="A1"))[:2] in (b"II", b"MM")
    assert imagetexts.exif_of_png(PLAIN) == b""
    other = with_segment(jpeg(None), b"http://ns.adobe.com/xap/1.0/\0canary")
    assert imagetexts.exif_of_jpeg(with_segment(other, exif_segment(ARTIST))) == ARTIST
    for twice in (
        lambda: imagetexts.exif_of_jpeg(with_segment(jpeg("A1"), exif_segment(ARTIST))),
        lambda: imagetexts.exif_of_png(
            with_chunk(png({}, artist="A1"), chunk(b"eXIf", ARTIST)),
        ),
    ):
        with pytest.raises(BadUpstream) as caught:
            twice()
        assert caught.value.code is Code.BODY_AMBIGUOUS


@pytest.mark.parametrize(
    "data",
    [
        jpeg("A1")[:12],
        b"\xff\xd8\xff",
        b"\xff\xd8\xff\xe1\0\1",
        b"\xff\xd8\xff\xe1\xff\xff",
        b"\xff\xd8\xff\xd9",
        b"\xff\xd8\xff\xff\xff",
    ],
)
def test_a_jpeg_that_ends_before_its_pixels_is_malformed(data: bytes) -> None:
    with pytest.raises(BadUpstream) as caught:
        imagetexts.exif_of_jpeg(data)
    assert caught.value.code is Code.BODY_MALFORMED


def test_pillow_finds_the_same_in_whatever_is_read() -> None:
    seeds = [png({"Author": "A1"}), png({"Author": "A2"}, packed=True), PLAIN]
    read = 0
    for number in range(600):
        data = mutated(seeds, random.Random(number))
        try:
            ours = imagetexts.png(data, NAMES)
            with Image.open(io.BytesIO(data)) as image:
                theirs = image.info
        except (BadUpstream, OSError, SyntaxError):
            continue
        if ours:
            assert [str(theirs["Author"])] == ours["Author"], (number, data)
            read += 1
    assert read > 10
