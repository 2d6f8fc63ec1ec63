"""The texts beside the pixels of an image."""

import io
import random
import struct
import tracemalloc
import zlib
from typing import Any

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


@pytest.mark.parametrize("marker", [0xC8, *range(0xD0, 0xD9), *range(0xF0, 0xFE)])
def test_a_marker_behind_which_readers_find_no_length_is_malformed(marker: int) -> None:
    """Who takes what follows it for a length jumps over the EXIF that others read, to another."""
    stranger, own = exif_segment(tiff((0x013B, 2, b"canary\0"))), exif_segment(ARTIST)
    plain, mark = jpeg(None), bytes([0xFF, marker])
    hidden = with_segment(plain[:2], stranger)[2:]
    skipped = 0xFFE1 - len(hidden) - 4
    rest = b"x" * skipped + with_segment(plain[:2], own)[2:]
    halves = [rest[:100], rest[100 + 4 :]]
    comments = b"".join(b"\xff\xfe" + struct.pack(">H", len(each) + 2) + each for each in halves)
    data = plain[:2] + mark + hidden + comments + plain[2:]
    with Image.open(io.BytesIO(data)) as image:
        assert image.getexif().get(0x013B) == "canary"
    with pytest.raises(BadUpstream) as caught:
        imagetexts.exif_of_jpeg(data)
    assert caught.value.code is Code.BODY_MALFORMED


@pytest.mark.parametrize("marker", [0xCC, 0xDB, 0xDD, 0xE0, 0xEF, 0xFE])
def test_a_segment_with_a_length_may_stand_before_the_exif(marker: int) -> None:
    rest = jpeg("A1")[2:]
    segment = bytes([0xFF, marker]) + b"\0\4\0\0"
    assert imagetexts.exif_of_jpeg(b"\xff\xd8" + segment + rest)[:2] in (b"II", b"MM")


@pytest.mark.parametrize("options", [{"progressive": True}, {"optimize": True}, {"dpi": (72, 72)}])
def test_what_pillow_writes_is_read(options: dict[str, Any]) -> None:
    out, written = io.BytesIO(), Image.Exif()
    written[0x013B] = "A1"
    image = Image.new("RGB", (40, 40))
    image.save(out, "JPEG", exif=written, comment="x", icc_profile=b"x" * 70_000, **options)
    assert imagetexts.exif_of_jpeg(out.getvalue()) == written.tobytes()[6:]


@pytest.mark.parametrize("name", ["exif", "APP1", "8bim"])
@pytest.mark.parametrize("image", [png({}, artist="A1"), PLAIN])
def test_a_profile_in_a_text_of_a_png_is_ambiguous(name: str, image: bytes) -> None:
    stranger = exif_segment(tiff((0x013B, 2, b"canary\0")))
    profile = f"\nexif\n{len(stranger):8}\n{stranger.hex()}\n".encode()
    for new in (
        chunk(b"zTXt", b"Raw profile type %b\0\0" % name.encode() + zlib.compress(profile)),
        chunk(b"tEXt", b"Raw profile type %b\0" % name.encode() + profile),
    ):
        with pytest.raises(BadUpstream) as caught:
            imagetexts.exif_of_png(with_chunk(image, new))
        assert caught.value.code is Code.BODY_AMBIGUOUS
    assert imagetexts.exif_of_png(png({"Raw": "x"}, artist="A1"))[:2] in (b"II", b"MM")


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
