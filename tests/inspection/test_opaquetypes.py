"""The media types of what nobody reads are a closed set."""

from gateway.inspection.opaquetypes import KNOWN


def test_what_is_usual_is_known_and_what_would_be_split_is_not() -> None:
    for usual in ("audio/wav", "image/jpeg", "application/pdf", "application/octet-stream"):
        assert usual in KNOWN
    assert len(KNOWN) == len(set(KNOWN))
    assert all(name == name.lower() and name.count("/") == 1 for name in KNOWN)
    assert not any(name.startswith(("multipart/", "message/")) for name in KNOWN)
