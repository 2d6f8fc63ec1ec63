"""Which keys of a published set may verify anything (B04, B06, B07, B24)."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st

from gateway.identity.jwks import MAX_KEYS, KeyFault, KeyFlaw, KeySetUnusable, parse_key_set
from gateway.identity.settings import Algorithm
from tests.support.issuer import ABSENT, SigningKey, b64

GOOD = SigningKey("good")
SUSPECT = SigningKey("suspect", serial=1)
ALL = tuple(Algorithm)


def document(*keys: Any) -> bytes:
    return json.dumps({"keys": keys}).encode()


def flaw_of(jwk: Any, allowed: tuple[Algorithm, ...] = ALL) -> KeyFlaw | None:
    """Why `jwk` is left out beside a good key, which always stays; None if it isn't."""
    keys = parse_key_set(document(GOOD.jwk(), jwk), allowed)
    assert keys.find("good") is not None
    flaws = list(keys.flaws)
    assert len(keys.keys) + len(flaws) == 2
    return flaws[0] if flaws else None


@pytest.mark.parametrize("algorithm", ALL)
def test_a_public_key_of_every_algorithm_is_usable(algorithm: Algorithm) -> None:
    key = SigningKey("suspect", algorithm.value)
    assert flaw_of(key.jwk()) is None
    assert flaw_of(key.jwk(alg=ABSENT, use=ABSENT)) is None
    assert flaw_of(key.jwk(key_ops=["verify"])) is None
    assert flaw_of(key.jwk(x5c=["MIIB"], x5t="AAAA", issuer="x")) is None
    assert flaw_of(key.jwk(kid=ABSENT)) is None


@pytest.mark.parametrize(
    "members",
    [
        {"use": "enc"},
        {"use": "SIG"},
        {"use": None},
        {"use": ["sig"]},
        {"key_ops": []},
        {"key_ops": ["encrypt"]},
        {"key_ops": ["sign", "wrapKey"]},
        {"key_ops": "verify"},
        {"key_ops": None},
    ],
)
def test_a_key_for_another_use_is_left_out(members: Mapping[str, Any]) -> None:
    assert flaw_of(SUSPECT.jwk(**members)) is KeyFlaw.OTHER_USE


@pytest.mark.parametrize(
    ("algorithm", "members"),
    [
        ("RS256", {"alg": "ES256"}),
        ("RS256", {"alg": "HS256"}),
        ("RS256", {"alg": "none"}),
        ("RS256", {"alg": "RSA-OAEP"}),
        ("RS256", {"alg": None}),
        ("RS256", {"alg": ["RS256"]}),
        ("RS256", {"kty": "EC"}),
        ("RS256", {"kty": "rsa"}),
        ("RS256", {"kty": ABSENT}),
        ("RS256", {"kty": ["RSA"]}),
        ("RS256", {"crv": "P-256"}),
        ("ES256", {"alg": "RS256"}),
        ("ES256", {"alg": "ES384"}),
        ("ES256", {"crv": "P-384"}),
        ("ES256", {"crv": "secp256k1", "alg": ABSENT}),
        ("ES256", {"crv": ABSENT}),
        ("EdDSA", {"alg": "ES256"}),
        ("EdDSA", {"crv": "X25519"}),
        ("EdDSA", {"crv": "Ed448"}),
    ],
)
def test_a_key_whose_type_and_algorithm_disagree_is_left_out(
    algorithm: str, members: Mapping[str, Any]
) -> None:
    jwk = SigningKey("suspect", algorithm).jwk(**members)
    assert flaw_of(jwk) in (KeyFlaw.OTHER_ALGORITHM, KeyFlaw.MALFORMED)


def test_a_key_of_an_algorithm_that_is_not_allowed_is_left_out() -> None:
    for algorithm in ("ES256", "EdDSA", "PS256", "RS512"):
        jwk = SigningKey("suspect", algorithm).jwk()
        assert flaw_of(jwk, (Algorithm.RS256,)) is KeyFlaw.OTHER_ALGORITHM
        assert flaw_of(jwk, (Algorithm.RS256, Algorithm(algorithm))) is None


def test_a_key_without_an_algorithm_fits_the_allowed_ones_of_its_type() -> None:
    keys = parse_key_set(
        document(GOOD.jwk(alg=ABSENT)), (Algorithm.RS256, Algorithm.PS384, Algorithm.ES256)
    )
    key = keys.find("good")
    assert key is not None
    assert set(key.prepared) == {"RS256", "PS384"}


def _rsa(bits: int, exponent: int = 65537) -> dict[str, Any]:
    number = rsa.generate_private_key(65537, bits).public_key().public_numbers().n
    return _rsa_jwk(number, exponent)


def _rsa_jwk(n: int, e: int) -> dict[str, Any]:
    numbers = {"n": n, "e": e}
    return {"kty": "RSA", "kid": "suspect", "alg": "RS256"} | {
        name: b64(value.to_bytes((value.bit_length() + 7) // 8 or 1))
        for name, value in numbers.items()
    }


def test_a_weak_or_slow_rsa_key_is_left_out() -> None:
    n = SUSPECT.private.public_key().public_numbers().n
    assert flaw_of(_rsa_jwk(n, 65537)) is None
    for e in (0, 1, 2, 3, 17, 65535, 65536, 65538, 2**32 + 1, n - 2):
        assert flaw_of(_rsa_jwk(n, e)) is KeyFlaw.WEAK
    assert flaw_of(_rsa_jwk(n - 1, 65537)) is KeyFlaw.WEAK  # even
    assert flaw_of(_rsa_jwk(n >> 1 | 1, 65537)) is KeyFlaw.WEAK  # 2047 bits
    assert flaw_of(_rsa_jwk(n << 6200 | 1, 65537)) is KeyFlaw.WEAK  # slow
    assert flaw_of(_rsa(1024)) is KeyFlaw.WEAK
    assert flaw_of(_rsa_jwk(2**511 + 1, 65537)) is KeyFlaw.WEAK


@pytest.mark.parametrize("member", ["d", "p", "q", "dp", "dq", "qi", "oth", "k"])
@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
def test_a_key_with_a_private_part_is_left_out(algorithm: str, member: str) -> None:
    jwk = SigningKey("suspect", algorithm).jwk(**{member: "AAAA"})
    assert flaw_of(jwk) is KeyFlaw.SECRET


def test_a_symmetric_key_is_left_out() -> None:
    assert flaw_of({"kty": "oct", "kid": "suspect", "k": "c2VjcmV0"}) is KeyFlaw.SECRET
    assert flaw_of({"kty": "oct", "kid": "suspect", "alg": "RS256"}) is KeyFlaw.SECRET


@pytest.mark.parametrize("member", ["n", "e"])
@pytest.mark.parametrize("change", ["{}=", "{}\n", " {}", "{}+", "", "\u00e4{}", "{}%3D"])
def test_an_rsa_number_in_another_spelling_is_left_out(member: str, change: str) -> None:
    jwk = SUSPECT.jwk()
    jwk[member] = change.format(jwk[member])
    assert flaw_of(jwk) is KeyFlaw.MALFORMED


@pytest.mark.parametrize("value", [None, 65537, ["AQAB"], ABSENT])
def test_a_number_that_is_no_text_is_left_out(value: Any) -> None:
    assert flaw_of(SUSPECT.jwk(e=value)) is KeyFlaw.MALFORMED


def test_a_point_off_the_curve_is_left_out() -> None:
    jwk = SigningKey("suspect", "ES256").jwk()
    assert flaw_of(jwk) is None
    assert flaw_of(jwk | {"y": jwk["x"]}) is KeyFlaw.MALFORMED
    assert flaw_of(jwk | {"x": b64(bytes(32)), "y": b64(bytes(32))}) is KeyFlaw.MALFORMED
    assert flaw_of(jwk | {"x": b64(bytes(31))}) is KeyFlaw.MALFORMED
    assert flaw_of(jwk | {"x": b64(b"\xff" * 32)}) is KeyFlaw.MALFORMED
    edwards = SigningKey("suspect", "EdDSA").jwk()
    assert flaw_of(edwards | {"x": b64(bytes(31))}) is KeyFlaw.MALFORMED


@pytest.mark.parametrize("kid", [1, None, "", ["suspect"], "a\nb", "x" * 257])
def test_a_key_whose_name_is_no_name_is_left_out(kid: Any) -> None:
    assert flaw_of(SUSPECT.jwk(kid=kid)) is KeyFlaw.MALFORMED


@pytest.mark.parametrize("jwk", [None, "RSA", 1, [], [{}], {}])
def test_a_member_that_is_no_key_is_left_out(jwk: Any) -> None:
    assert flaw_of(jwk) in (KeyFlaw.MALFORMED, KeyFlaw.OTHER_ALGORITHM)


def test_of_two_keys_with_one_name_none_is_used() -> None:
    twin = SigningKey("twin", serial=2)
    keys = parse_key_set(
        document(GOOD.jwk(), SUSPECT.jwk(kid="twin"), twin.jwk()), (Algorithm.RS256,)
    )
    assert keys.find("twin") is None
    assert keys.find("good") is not None
    assert keys.flaws == {KeyFlaw.DUPLICATE: 2}


def test_a_name_shared_with_an_unusable_key_is_still_clear() -> None:
    """Some issuers publish one name twice, once with `use: enc`: only one of them can sign."""
    keys = parse_key_set(document(GOOD.jwk(), SUSPECT.jwk(kid="good", use="enc")), ALL)
    key = keys.find("good")
    assert key is not None
    assert key.verifies("RS256", b"data", GOOD.sign(b"data"))
    assert not key.verifies("RS256", b"data", SUSPECT.sign(b"data"))


def test_two_nameless_keys_are_none_either() -> None:
    with pytest.raises(KeySetUnusable):
        parse_key_set(document(GOOD.jwk(kid=ABSENT), SUSPECT.jwk(kid=ABSENT)), ALL)


def test_a_nameless_key_is_found_only_without_a_name_and_alone() -> None:
    alone = parse_key_set(document(GOOD.jwk(kid=ABSENT)), ALL)
    assert alone.find(None) is not None
    assert alone.find("good") is None
    two = parse_key_set(document(GOOD.jwk(kid=ABSENT), SUSPECT.jwk()), ALL)
    assert two.find(None) is None


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", KeyFault.MALFORMED),
        (b"<!doctype html><title>502</title>", KeyFault.MALFORMED),
        (b"{}", KeyFault.MALFORMED),
        (b"[]", KeyFault.MALFORMED),
        (b"null", KeyFault.MALFORMED),
        (b'{"keys":{}}', KeyFault.MALFORMED),
        (b'{"keys":null}', KeyFault.MALFORMED),
        (b'{"keys":[],"keys":[]}', KeyFault.MALFORMED),
        (b'{"keys":[', KeyFault.MALFORMED),
        (b'{"keys":[]}', KeyFault.NO_USABLE_KEY),
        (b'{"keys":[null,{}]}', KeyFault.NO_USABLE_KEY),
        (b"[" * 100_000, KeyFault.MALFORMED),
        (b'{"keys":[' + b"{}," * MAX_KEYS + b"{}]}", KeyFault.TOO_LARGE),
    ],
)
def test_a_document_without_usable_keys_is_refused(content: bytes, fault: KeyFault) -> None:
    with pytest.raises(KeySetUnusable) as caught:
        parse_key_set(content, ALL)
    assert caught.value.fault is fault


def test_a_duplicate_member_in_a_key_spoils_the_document() -> None:
    content = document(GOOD.jwk()).replace(b'"use": "sig"', b'"use": "enc", "use": "sig"')
    with pytest.raises(KeySetUnusable):
        parse_key_set(content, ALL)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=5,
)


@given(
    st.sampled_from(["RS256", "ES256", "EdDSA"]),
    st.sampled_from(["kty", "alg", "use", "key_ops", "kid", "crv", "n", "e", "x", "y"]),
    _JSON,
)
def test_no_value_of_a_member_disturbs_the_good_key(
    algorithm: str, member: str, value: Any
) -> None:
    flaw_of(SigningKey("suspect", algorithm).jwk() | {member: value})
