"""zstd: every frame is read, and nothing stands between them that nobody reads."""

import pytest
from backports import zstd as library

from gateway.errors import BadUpstream, Code
from gateway.inspection.codings import zstd

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
