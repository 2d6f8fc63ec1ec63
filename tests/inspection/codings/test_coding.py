"""The interface of a content coding is kept by each of them."""

import inspect

import pytest

from gateway.inspection.codings import CODINGS


@pytest.mark.parametrize("name", CODINGS)
def test_every_coding_makes_a_fresh_encoder_and_decoder(name: str) -> None:
    coding = CODINGS[name]
    assert inspect.isgeneratorfunction(coding.decode)
    first, second = coding.encoder(), coding.encoder()
    assert first is not second
    assert first.compress(b"a") + first.flush() == second.compress(b"a") + second.flush()
