"""zstd: every frame is read, and nothing stands between them that nobody reads."""

import pytest
from backports import zstd as library
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import BadUpstream, Code
from gateway.inspection.codings import zstd
from tests.support.codings import is_sealed

CONTENT = b"id,owner\n1,me\n" * 20
SKIPPABLE = b"\x50\x2a\x4d\x18" + (6).to_bytes(4, "little") + b"canary"


def decode(data: bytes, size: int = 5) -> bytes:
    return b"".join(zstd.decode(data[at : at + size] for at in range(0, len(data), size)))


def refusal(data: bytes) -> Code:
    with pytest.raises(BadUpstream) as caught:
        decode(data)
    return caught.value.code


def test_every_frame_is_read() -> None:
    """Catalogue A09: what stands in the second one is inspected like the rest."""
    frames = library.compress(b"me,") + library.compress(b"") + library.compress(b"foreign")
    assert decode(frames) == b"me,foreign"


@pytest.mark.parametrize("before", [b"", library.compress(CONTENT)])
def test_a_skippable_frame_is_refused(before: bytes) -> None:
    frame = library.compress(CONTENT)
    assert library.decompress(before + SKIPPABLE + frame).endswith(CONTENT)
    assert refusal(before + SKIPPABLE + frame) is Code.CODING_MALFORMED
    assert decode(before + frame).endswith(CONTENT)


def test_more_frames_than_an_exporter_writes_are_refused() -> None:
    frame = library.compress(b"x")
    assert refusal(frame * 1_001) is Code.CODING_MALFORMED
    assert decode(frame * 1_000) == b"x" * 1_000


@pytest.mark.parametrize(("window", "fits"), [(23, True), (24, False), (27, False)])
def test_a_window_over_eight_mebibytes_is_refused(window: int, fits: bool) -> None:
    """Catalogue A11; RFC 9659: a decoder need not have more memory than that."""
    options = {library.CompressionParameter.window_log: window}
    compressor = library.ZstdCompressor(options=options)  # of unknown size: the window is declared
    received = compressor.compress(CONTENT) + compressor.flush()
    if fits:
        assert decode(received) == CONTENT
    else:
        assert refusal(received) is Code.CODING_MALFORMED


def test_a_wrong_checksum_is_malformed() -> None:
    options = {library.CompressionParameter.checksum_flag: 1}
    received = library.compress(CONTENT, options=options)
    assert decode(received) == CONTENT
    assert refusal(received[:-1] + bytes([received[-1] ^ 1])) is Code.CODING_MALFORMED


def test_a_dictionary_is_malformed() -> None:
    trained = library.train_dict([b"owner %d me" % n * 9 for n in range(2000)], 2000)
    received = library.compress(CONTENT, zstd_dict=trained)
    assert refusal(received) is Code.CODING_MALFORMED


RAW, RLE, COMPRESSED = range(3)


def block(kind: int, size: int, data: bytes, last: bool = False) -> bytes:
    """RFC 8878 section 3.1.1.2."""
    return (last | kind << 1 | size << 3).to_bytes(3, "little") + data


def frame(*blocks: bytes, descriptor: bytes = b"\0\0") -> bytes:
    """By default of a window of one kibibyte, without a declared size and a checksum."""
    return b"\x28\xb5\x2f\xfd" + descriptor + b"".join(blocks)


TEXT, END = block(RAW, len(CONTENT), CONTENT), block(RAW, 0, b"", last=True)


@pytest.mark.parametrize("size", [1, 2, 5, 4096])
@pytest.mark.parametrize(
    "received",
    [
        pytest.param(
            frame(*(block(RLE, 0, bytes([one])) for one in b"canary"), TEXT, END),
            id="a byte, repeated no times",
        ),
        pytest.param(frame(TEXT, block(RLE, 0, b"c", last=True)), id="the same as the last block"),
        pytest.param(
            frame(*(block(COMPRESSED, 3, b"\1%c\0" % one) for one in b"canary"), TEXT, END),
            id="literals, repeated no times",
        ),
        pytest.param(
            frame(TEXT, block(COMPRESSED, 0, b""), block(RLE, 0, b"c"), END), id="behind nothing"
        ),
        pytest.param(frame(TEXT, END, descriptor=b"\x10\0"), id="a bit that means nothing"),
        pytest.param(
            frame(TEXT, END, descriptor=b"\3\0\0\0\0\0"), id="no dictionary, in four bytes"
        ),
        pytest.param(
            b"".join(frame(END, descriptor=b"\0%c" % one) for one in b"CANARY") + frame(TEXT, END),
            id="the windows of many frames",
        ),
    ],
)
def test_what_decodes_to_nothing_is_told(received: bytes, size: int) -> None:
    """No library tells of it: a body with it must be written anew."""
    assert decode(received, size) == CONTENT
    assert not is_sealed("zstd", received, size)
    assert is_sealed("zstd", frame(TEXT, block(RLE, 1, b"x"), block(RAW, 0, b""), END), size)


@settings(max_examples=60, deadline=None)
@given(
    parts=st.lists(st.binary(max_size=300) | st.integers(0, 200_000).map(bytes), max_size=5),
    level=st.sampled_from([-5, 1, 3, 9, 19]),
    checksum=st.booleans(),
    flush=st.booleans(),
    sized=st.booleans(),
    cut=st.integers(1, 5000),
)
def test_whatever_a_compressor_writes_is_sealed(
    parts: list[bytes], level: int, checksum: bool, flush: bool, sized: bool, cut: int
) -> None:
    options = {
        library.CompressionParameter.checksum_flag: int(checksum),
        library.CompressionParameter.compression_level: level,
    }
    whole = b"".join(parts)
    if sized:
        received = library.compress(whole, options=options)
    else:
        compressor = library.ZstdCompressor(options=options)
        received = b""
        for part in parts:
            received += compressor.compress(part)
            received += compressor.flush(compressor.FLUSH_BLOCK) if flush else b""
        received += compressor.flush()
    assert decode(received, cut) == whole
    assert is_sealed("zstd", received, cut)


@pytest.mark.parametrize("size", [1, 2, 5, 4096])
@pytest.mark.parametrize("behind", [b"", library.compress(CONTENT)])
def test_a_frame_that_says_another_size_of_its_content_is_malformed(
    size: int, behind: bytes
) -> None:
    """libzstd takes it where the last block is empty."""
    for declared, passes in ((len(CONTENT), True), (len(CONTENT) + 1, False), (0, False)):
        width = (declared - 256).to_bytes(2, "little") if declared >= 256 else bytes([declared])
        descriptor = bytes([0x60 if declared >= 256 else 0x20]) + width
        received = frame(TEXT, END, descriptor=descriptor) + behind
        if passes:
            assert decode(received, size).startswith(CONTENT)
        else:
            with pytest.raises(BadUpstream) as caught:
                decode(received, size)
            assert caught.value.code is Code.CODING_MALFORMED
