"""What a token must look like before, and prove after, its signature is checked."""

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.errors import Code, Unauthenticated
from gateway.identity import tokens
from gateway.identity.jwks import parse_key_set
from gateway.identity.settings import Algorithm, IssuerSettings
from gateway.identity.tokens import VerifiedClaims
from tests.identity.conftest import Clock, pins
from tests.support.issuer import ABSENT, SigningKey, TestIssuer, b64, compact, encoded

Check = Callable[..., VerifiedClaims]


@pytest.fixture
def check(issuer: TestIssuer, clock: Clock) -> Check:
    """Reads, admits and verifies a token, or whole field lines, for the test issuer."""

    def check(*lines: str | bytes, settings: IssuerSettings | None = None) -> VerifiedClaims:
        first = lines[0] if lines else None
        raw = [f"Bearer {first}".encode()] if isinstance(first, str) else list(lines)
        settings = settings or pins(issuer)
        token = tokens.read(raw)
        tokens.admit(token, settings)
        key = parse_key_set(issuer.jwks_bytes(), settings.algorithms).find(token.kid)
        if key is None:
            raise Unauthenticated(Code.TOKEN_UNTRUSTED)
        return tokens.verify(token, key, settings, clock.wall)

    return check


def refusal(check: Check, *lines: str | bytes, **options: Any) -> Code:
    with pytest.raises(Unauthenticated) as caught:
        check(*lines, **options)
    assert caught.value.public_code is Code.TOKEN_REJECTED
    assert caught.value.__cause__ is None
    return caught.value.code


def test_a_good_token_proves_its_claims(check: Check, issuer: TestIssuer, clock: Clock) -> None:
    verified = check(issuer.token(sub="A1", extra=["x"]))
    assert (verified.issuer, verified.subject) == (issuer.issuer, "A1")
    assert verified.expires_at == clock.wall + 300
    assert verified.claims["extra"] == ["x"]


# --- The field line (B01, B20) ---------------------------------------------------------------


def test_without_a_token_the_refusal_says_so(check: Check) -> None:
    assert refusal(check) is Code.TOKEN_MISSING


@pytest.mark.parametrize("line", [b"", b"Basic dTpw", b"Token abc", b"a.b.c", b" ", b"Digest a=b"])
def test_another_scheme_is_no_token(check: Check, line: bytes) -> None:
    assert refusal(check, line) is Code.TOKEN_MISSING


@pytest.mark.parametrize(
    "shape",
    [
        b"Bearer\t%s",
        b"Bearer  %s",
        b"Bearer %s ",
        b"Bearer%s",
        b"Bearer: %s",
        b"Bearer %s\n",
        b"Bearer %s, Bearer %s",
        b"Bearer %s,%s",
        b"Bearer %s %s",
        b'Bearer "%s"',
        b"Bearer Bearer %s",
        b"Bearer\xc2\xa0%s",
    ],
)
def test_a_line_of_another_shape_is_malformed(
    check: Check, issuer: TestIssuer, shape: bytes
) -> None:
    token = issuer.token().encode()
    assert refusal(check, shape.replace(b"%s", token)) is Code.TOKEN_MALFORMED


def test_a_line_without_a_token_is_malformed(check: Check) -> None:
    assert refusal(check, b"Bearer") is Code.TOKEN_MALFORMED
    assert refusal(check, b"Bearer ") is Code.TOKEN_MALFORMED


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_case_of_the_scheme_does_not_matter(
    check: Check, issuer: TestIssuer, scheme: str
) -> None:
    assert check(f"{scheme} {issuer.token()}".encode()).subject == "A1"


def test_two_lines_are_malformed_even_if_they_are_equal(check: Check, issuer: TestIssuer) -> None:
    line = issuer.bearer().encode()
    assert refusal(check, line, line) is Code.TOKEN_MALFORMED
    assert refusal(check, line, b"") is Code.TOKEN_MALFORMED
    assert refusal(check, b"Basic dTpw", line) is Code.TOKEN_MALFORMED


# --- Size and shape (B17, B18) ---------------------------------------------------------------


def test_a_token_longer_than_the_limit_is_refused(check: Check, issuer: TestIssuer) -> None:
    assert refusal(check, issuer.token(filler="x" * 1_000_000)) is Code.TOKEN_MALFORMED


def test_the_limit_is_exact(check: Check, issuer: TestIssuer) -> None:
    size = (tokens.MAX_TOKEN - len(issuer.token(filler=""))) * 3 // 4
    lengths = {}
    for extra in range(-3, 4):
        token = issuer.token(filler="x" * (size + extra))
        lengths[len(token)] = token
    assert tokens.MAX_TOKEN == 16_384
    inside = max(length for length in lengths if length <= tokens.MAX_TOKEN)
    beyond = min(length for length in lengths if length > tokens.MAX_TOKEN)
    assert beyond - inside <= 2
    assert check(lengths[inside]).subject == "A1"
    assert refusal(check, lengths[beyond]) is Code.TOKEN_MALFORMED


@pytest.mark.parametrize("depth", [1_000, 5_000, 50_000])
def test_a_deep_payload_is_refused(check: Check, issuer: TestIssuer, depth: int) -> None:
    payload = b'{"iss":' + b"[" * depth + b"]" * depth + b"}"
    token = compact(issuer.header(), payload, issuer.key)
    assert refusal(check, token) is Code.TOKEN_MALFORMED


def test_a_nested_claim_is_no_deep_payload(check: Check, issuer: TestIssuer) -> None:
    assert check(issuer.token(address={"a": [{"b": {"c": [1]}}]})).subject == "A1"


def test_other_serialisations_are_refused(check: Check, issuer: TestIssuer) -> None:
    token = issuer.token()
    header, payload, signature = token.split(".")
    jwe = {"alg": "RSA-OAEP", "enc": "A256GCM", "zip": "DEF"}
    flattened = {"protected": header, "payload": payload, "signature": signature}
    for other in (
        f"{encoded(jwe)}.AAAA.AAAA.{'A' * 9_000}.AAAA",  # JWE
        json.dumps(flattened, separators=(",", ":")),  # flattened JSON
        b64(json.dumps(flattened).encode()),
        f"{header}..{signature}",  # detached
        f"{header}.{payload}",
        f"{header}.{payload}.",  # unsigned
        f"{header}.{payload}.{signature}.",
        f"{header}.{payload}.{signature}.{signature}",
        f".{payload}.{signature}",
        "..",
        compact(issuer.header(cty="JWT"), token.encode(), issuer.key),  # nested JWT
        compact(issuer.header(cty="JWT"), json.dumps(token).encode(), issuer.key),
    ):
        assert refusal(check, other) is Code.TOKEN_MALFORMED


# --- Encoding and JSON (B13, B19) ------------------------------------------------------------


@pytest.mark.parametrize("segment", [0, 1, 2])
@pytest.mark.parametrize("tail", ["=", "==", "\n", " ", "\t", "\0", "+", "/", "%3D", "\u00e4"])
def test_a_segment_with_a_foreign_character_is_refused(
    check: Check, issuer: TestIssuer, segment: int, tail: str
) -> None:
    parts = issuer.token().split(".")
    parts[segment] += tail
    assert refusal(check, ".".join(parts)) is Code.TOKEN_MALFORMED


def test_a_second_spelling_of_the_signature_is_refused(check: Check, issuer: TestIssuer) -> None:
    token = issuer.token()  # 256 bytes: the last character has four unused bits
    assert token[-1] in "AQgw"
    assert check(token).subject == "A1"
    assert refusal(check, token[:-1] + chr(ord(token[-1]) + 1)) is Code.TOKEN_MALFORMED


@pytest.mark.parametrize(
    "payload",
    [
        b'{"sub":"A9",%s',
        b'{"\\u0073ub":"A9",%s',  # the same name, spelled differently
        b'{"x":{"y":1,"y":2},%s',
        b'{"n":NaN,%s',
        b'{"n":Infinity,%s',
        b'{"n":01,%s',
        b'{"n":.5,%s',
        b"{'n':1,%s",
        b'{"n":"\xff",%s',
        b'{"n":"\\ud800",%s',
        b'{"n":"\x01",%s',
        b"\xef\xbb\xbf{%s",
        b"[{%s]",
        b"{,%s",
        b"{/**/%s",
    ],
)
def test_a_payload_that_is_not_strict_json_is_refused(
    check: Check, issuer: TestIssuer, payload: bytes
) -> None:
    rest = json.dumps(issuer.claims()).encode()[1:]
    token = compact(issuer.header(), payload.replace(b"%s", rest), issuer.key)
    assert refusal(check, token) is Code.TOKEN_MALFORMED


def test_a_payload_with_something_after_it_is_refused(check: Check, issuer: TestIssuer) -> None:
    good = json.dumps(issuer.claims()).encode()
    for payload in (good + b"{}", good + b"\0", good[:-1], good + b","):
        assert refusal(check, compact(issuer.header(), payload, issuer.key)) is Code.TOKEN_MALFORMED
    assert check(compact(issuer.header(), b" " + good + b"\n", issuer.key)).subject == "A1"


def test_a_duplicate_header_member_is_refused(check: Check, issuer: TestIssuer) -> None:
    rest = json.dumps(issuer.header()).encode()[1:]
    for header in (b'{"alg":"none",' + rest, b'{"kid":"key-1",' + rest):
        token = compact(header, issuer.claims(), issuer.key)
        assert refusal(check, token) is Code.TOKEN_MALFORMED


# --- Algorithms (B02, B03, B05, B06, B34) ----------------------------------------------------


@pytest.mark.parametrize("alg", ["none", "nOnE", "NONE", "", "HS256", "rs256", "RS256 ", "RS1"])
def test_an_algorithm_that_is_not_pinned_is_untrusted(
    check: Check, issuer: TestIssuer, alg: str
) -> None:
    assert refusal(check, issuer.token(header={"alg": alg})) is Code.TOKEN_UNTRUSTED


@pytest.mark.parametrize("alg", [None, ABSENT, ["RS256"], {"RS256": 1}, 256, True])
def test_an_algorithm_that_is_no_string_is_malformed(
    check: Check, issuer: TestIssuer, alg: Any
) -> None:
    assert refusal(check, issuer.token(header={"alg": alg})) is Code.TOKEN_MALFORMED


def test_an_hmac_keyed_with_the_public_key_is_untrusted(check: Check, issuer: TestIssuer) -> None:
    public = issuer.key.private.public_key()
    secrets = [
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(Encoding.PEM, PublicFormat.PKCS1),
        json.dumps(issuer.key.jwk()).encode(),
        b"",
    ]
    for secret in secrets:
        for alg in ("HS256", "RS256"):
            signing_input = f"{encoded(issuer.header(alg=alg))}.{encoded(issuer.claims())}"
            mac = hmac.new(secret, signing_input.encode(), hashlib.sha256).digest()
            assert refusal(check, f"{signing_input}.{b64(mac)}") is Code.TOKEN_UNTRUSTED


@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_every_algorithm_that_can_be_pinned_verifies(
    check: Check, issuer: TestIssuer, algorithm: Algorithm
) -> None:
    issuer.keys = [SigningKey("other", algorithm.value)]
    token = issuer.token()
    settings = pins(issuer, algorithms=[algorithm])
    assert check(token, settings=settings).subject == "A1"
    assert refusal(check, issuer.forged(), settings=settings) is Code.TOKEN_UNTRUSTED
    head = token.rsplit(".", 1)[0]
    right = issuer.key.sign(head.encode())
    for wrong in (b"\0", right[:-1], right + b"\0", right[1:] + right[:1], bytes(len(right))):
        assert refusal(check, f"{head}.{b64(wrong)}", settings=settings) is Code.TOKEN_UNTRUSTED


@pytest.mark.parametrize("algorithm", ["ES256", "PS256", "EdDSA", "RS384", "RS512"])
def test_a_valid_token_of_an_unpinned_algorithm_is_untrusted(
    check: Check, issuer: TestIssuer, algorithm: str
) -> None:
    issuer.keys.append(SigningKey("other", algorithm))
    token = issuer.token()
    both = pins(issuer, algorithms=["RS256", algorithm])
    assert check(token, settings=both).subject == "A1"
    only_rs256 = pins(issuer, algorithms=["RS256"])
    assert refusal(check, token, settings=only_rs256) is Code.TOKEN_UNTRUSTED


def test_a_key_verifies_only_the_algorithm_it_was_published_for(
    check: Check, issuer: TestIssuer
) -> None:
    """The same RSA key signs RS256 and PS256; its `alg` says which of them is meant."""
    both = pins(issuer, algorithms=["RS256", "PS256"])
    ps256 = SigningKey(issuer.key.kid, "PS256")
    token = issuer.token(header={"alg": "PS256"}, signed_by=ps256)
    assert refusal(check, token, settings=both) is Code.TOKEN_UNTRUSTED
    issuer.keys = [ps256]
    assert check(token, settings=both).subject == "A1"


_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def test_ecdsa_signatures_out_of_range_or_form_are_untrusted(
    check: Check, issuer: TestIssuer
) -> None:
    issuer.keys = [SigningKey("ec", "ES256")]
    settings = pins(issuer)
    token = issuer.token()
    head = token.rsplit(".", 1)[0]
    assert check(token, settings=settings).subject == "A1"
    right = issuer.key.sign(head.encode())
    r, s = int.from_bytes(right[:32]), int.from_bytes(right[32:])
    n = _P256_ORDER.to_bytes(32)
    for wrong in (
        bytes(64),  # CVE-2022-21449: r = s = 0
        n + n,
        n + right[32:],
        right[:32] + n,
        right[:32] + bytes(32),
        encode_dss_signature(r, s),
        right + b"\0",
        b"\0" + right,
        right[:32],
        b"\xff" * 64,
    ):
        assert refusal(check, f"{head}.{b64(wrong)}", settings=settings) is Code.TOKEN_UNTRUSTED


# --- Header members (B07, B08, B09, B15) -----------------------------------------------------


@pytest.mark.parametrize(
    "kid", ["../../dev/null", "' OR 1=1 --", "key-2", "KEY-1", "key-1 ", "https://evil.example/k"]
)
def test_an_unknown_kid_is_untrusted(check: Check, issuer: TestIssuer, kid: str) -> None:
    assert refusal(check, issuer.token(header={"kid": kid})) is Code.TOKEN_UNTRUSTED


@pytest.mark.parametrize(
    "kid", [1, None, ["key-1"], {"key-1": 1}, True, "", "key-1\0", "key-1\n", "x" * 257, "\u202ek"]
)
def test_a_kid_that_is_no_name_is_malformed(check: Check, issuer: TestIssuer, kid: Any) -> None:
    assert refusal(check, issuer.token(header={"kid": kid})) is Code.TOKEN_MALFORMED


def test_without_a_kid_there_must_be_one_key_only(check: Check, issuer: TestIssuer) -> None:
    assert check(issuer.token(header={"kid": ABSENT})).subject == "A1"
    issuer.rotate()
    assert refusal(check, issuer.token(header={"kid": ABSENT})) is Code.TOKEN_UNTRUSTED


def test_keys_that_a_header_brings_are_ignored(check: Check, issuer: TestIssuer) -> None:
    stranger = SigningKey(issuer.key.kid, serial=99)
    brought: Mapping[str, Any] = {
        "jwk": stranger.jwk(),
        "jku": "https://evil.example/jwks.json",
        "x5u": "https://evil.example/cert.pem",
        "x5c": ["MIIB"],
        "x5t#S256": "AAAA",
    }
    assert check(issuer.token(header=brought)).subject == "A1"
    assert refusal(check, issuer.token(header=brought, signed_by=stranger)) is Code.TOKEN_UNTRUSTED


@pytest.mark.parametrize(
    "header",
    [
        {"crit": ["exp"], "exp": 1},
        {"crit": []},
        {"crit": "exp"},
        {"crit": None},
        {"crit": ["b64"], "b64": True},
        {"b64": False},
        {"b64": True},
        {"zip": "DEF"},
        {"zip": None},
    ],
)
def test_headers_that_change_the_meaning_are_refused(
    check: Check, issuer: TestIssuer, header: Mapping[str, Any]
) -> None:
    assert refusal(check, issuer.token(header=header)) is Code.TOKEN_MALFORMED


@pytest.mark.parametrize("typ", ["at+jwt", "AT+JWT", "application/at+jwt", "JWT", "jwt"])
def test_the_types_of_access_tokens_are_accepted(
    check: Check, issuer: TestIssuer, typ: str
) -> None:
    assert check(issuer.token(header={"typ": typ})).subject == "A1"


@pytest.mark.parametrize(
    "typ",
    [
        "id-token",
        "id_token+jwt",
        "logout+jwt",
        "refresh",
        "Refresh",
        "rt+jwt",
        "secevent+jwt",
        "dpop+jwt",
        "JOSE",
        "at+jwt ",
        "application/application/at+jwt",
        "",
        ABSENT,
    ],
)
def test_tokens_of_another_type_are_refused(check: Check, issuer: TestIssuer, typ: Any) -> None:
    assert refusal(check, issuer.token(header={"typ": typ})) is Code.TOKEN_CLAIMS


@pytest.mark.parametrize("typ", [None, 1, ["at+jwt"], "at+\u212aWT"])
def test_a_type_that_is_no_media_type_is_malformed(
    check: Check, issuer: TestIssuer, typ: Any
) -> None:
    assert refusal(check, issuer.token(header={"typ": typ})) is Code.TOKEN_MALFORMED


def test_a_missing_type_is_accepted_only_if_configured(check: Check, issuer: TestIssuer) -> None:
    token = issuer.token(header={"typ": ABSENT})
    assert check(token, settings=pins(issuer, types=["at+jwt", ""])).subject == "A1"


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "n"},
        {"at_hash": "AAAA"},
        {"c_hash": "AAAA"},
        {"events": {"http://schemas.openid.net/event/backchannel-logout": {}}},
        {"typ": "ID"},
        {"typ": "Refresh"},
        {"typ": "Logout"},
        {"typ": ["Bearer"]},
        {"token_use": "id"},
        {"token_type": "refresh"},
        {"cnf": {"jkt": "AAAA"}},  # bound to a key whose possession nobody has proven
    ],
)
@pytest.mark.parametrize("typ", ["JWT", "at+jwt"])
def test_other_tokens_are_refused_by_what_marks_them(
    check: Check, issuer: TestIssuer, claims: Mapping[str, Any], typ: str
) -> None:
    assert refusal(check, issuer.token(header={"typ": typ}, **claims)) is Code.TOKEN_CLAIMS


@pytest.mark.parametrize("claims", [{"typ": "Bearer"}, {"token_use": "access"}, {"azp": "app"}])
def test_access_tokens_that_say_so_are_accepted(
    check: Check, issuer: TestIssuer, claims: Mapping[str, Any]
) -> None:
    assert check(issuer.token(header={"typ": "JWT"}, **claims)).subject == "A1"


# --- Times (B10, B11) ------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["exp", "iat"])
@pytest.mark.parametrize(
    "value",
    [
        ABSENT,
        None,
        "1800000300",
        "",
        True,
        [1800000300],
        {},
        -1,
        2**63,
        2**64,
        10**30,
        1800000300.5,
    ],
)
def test_a_time_that_is_no_time_is_refused(
    check: Check, issuer: TestIssuer, name: str, value: Any
) -> None:
    assert refusal(check, issuer.token(**{name: value})) is Code.TOKEN_CLAIMS


@pytest.mark.parametrize("text", [b"1e400", b"-1e400", b"1.8e9", b"1800000300.0", b"-1"])
def test_a_time_in_another_notation_is_refused(
    check: Check, issuer: TestIssuer, text: bytes
) -> None:
    payload = json.dumps(issuer.claims(exp="?")).encode().replace(b'"?"', text)
    assert refusal(check, compact(issuer.header(), payload, issuer.key)) is Code.TOKEN_CLAIMS


@pytest.mark.parametrize("value", [None, "0", True, 0.5, -1, 10**30])
def test_a_start_that_is_no_time_is_refused(check: Check, issuer: TestIssuer, value: Any) -> None:
    assert refusal(check, issuer.token(nbf=value)) is Code.TOKEN_CLAIMS
    assert check(issuer.token(nbf=0)).subject == "A1"


@pytest.mark.parametrize(("late", "accepted"), [(-1, True), (0, False), (1, False)])
@pytest.mark.parametrize("leeway", [0, 30])
def test_a_token_expires_at_exp_and_the_leeway(
    check: Check, issuer: TestIssuer, clock: Clock, late: int, accepted: bool, leeway: int
) -> None:
    token = issuer.token(exp=int(clock.wall) + 300)
    clock.advance(300 + leeway + late)
    settings = pins(issuer, leeway=f"{leeway}s")
    if accepted:
        assert check(token, settings=settings).subject == "A1"
    else:
        assert refusal(check, token, settings=settings) is Code.TOKEN_EXPIRED


@pytest.mark.parametrize(("late", "accepted"), [(-1, False), (0, True), (1, True)])
@pytest.mark.parametrize("leeway", [0, 30])
@pytest.mark.parametrize("name", ["nbf", "iat"])
def test_a_token_begins_at_nbf_and_iat_less_the_leeway(
    check: Check,
    issuer: TestIssuer,
    clock: Clock,
    late: int,
    accepted: bool,
    leeway: int,
    name: str,
) -> None:
    start = int(clock.wall) + 1_000
    token = issuer.token(**{"nbf": 0, name: start, "exp": start + 300})
    clock.wall = start - leeway + late
    settings = pins(issuer, leeway=f"{leeway}s")
    if accepted:
        assert check(token, settings=settings).subject == "A1"
    else:
        assert refusal(check, token, settings=settings) is Code.TOKEN_EXPIRED


def test_a_token_has_not_expired_a_moment_before(
    check: Check, issuer: TestIssuer, clock: Clock
) -> None:
    token = issuer.token()
    clock.advance(330 - 0.001)
    assert check(token).subject == "A1"
    clock.advance(0.001)
    assert refusal(check, token) is Code.TOKEN_EXPIRED


# --- Subject, issuer, audience (B12, B14) ----------------------------------------------------


@pytest.mark.parametrize(
    "sub",
    [
        ABSENT,
        None,
        "",
        " ",
        "\u3000",
        "A1\0",
        "A1\n",
        "A1\x7f",
        "A1\x85",
        "A1\u2028",
        "A1\u200b",
        "\u202eA1",
        1,
        True,
        ["A1"],
        {"id": "A1"},
        "x" * 256,
        "x" * 9_000,
    ],
)
def test_a_subject_that_is_no_name_is_refused(check: Check, issuer: TestIssuer, sub: Any) -> None:
    assert refusal(check, issuer.token(sub=sub)) is Code.TOKEN_CLAIMS


@pytest.mark.parametrize("sub", ["A1", "a b", "auth0|5f", "J\u00fcrgen", "\u4e2d", "x" * 255, "42"])
def test_a_subject_is_taken_as_it_is(check: Check, issuer: TestIssuer, sub: str) -> None:
    assert check(issuer.token(sub=sub)).subject == sub


@pytest.mark.parametrize(
    "iss",
    [
        "https://id.example.org/",
        "https://id.example.or",
        "https://id.example.org.evil.example",
        "HTTPS://ID.EXAMPLE.ORG",
        "https://id.example.org\0",
        "",
    ],
)
def test_another_issuer_is_untrusted(check: Check, issuer: TestIssuer, iss: str) -> None:
    assert refusal(check, issuer.token(iss=iss)) is Code.TOKEN_UNTRUSTED


@pytest.mark.parametrize("iss", [ABSENT, None, ["https://id.example.org"], 1, {}])
def test_an_issuer_that_is_no_string_is_refused(check: Check, issuer: TestIssuer, iss: Any) -> None:
    assert refusal(check, issuer.token(iss=iss)) is Code.TOKEN_CLAIMS


@pytest.mark.parametrize(
    "aud",
    [
        ABSENT,
        None,
        "",
        [],
        "data-expor",
        "data-export-2",
        "data-export ",
        "DATA-EXPORT",
        "data-export,other",
        "data-export other",
        ["other"],
        ["data-export", 1],
        [["data-export"]],
        {"data-export": 1},
        1,
        ["data-export", "other"],  # the other one could replay it here
    ],
)
def test_another_audience_is_refused(check: Check, issuer: TestIssuer, aud: Any) -> None:
    assert refusal(check, issuer.token(aud=aud)) is Code.TOKEN_CLAIMS


@pytest.mark.parametrize("aud", ["data-export", ["data-export"], ["data-export", "data-export"]])
def test_our_audience_is_accepted(check: Check, issuer: TestIssuer, aud: Any) -> None:
    assert check(issuer.token(aud=aud)).subject == "A1"


def test_another_audience_is_accepted_beside_ours_if_configured(
    check: Check, issuer: TestIssuer
) -> None:
    settings = pins(issuer, audience=["data-export", "exports"], other_audiences=["account"])
    for aud in ("exports", ["exports", "account"], ["data-export", "exports"]):
        assert check(issuer.token(aud=aud), settings=settings).subject == "A1"
    for aud in ("account", ["account"], ["exports", "account", "third"]):
        assert refusal(check, issuer.token(aud=aud), settings=settings) is Code.TOKEN_CLAIMS


# --- Nothing leaks, nothing bends ------------------------------------------------------------


def test_no_note_and_no_repr_quotes_the_token(issuer: TestIssuer, check: Check) -> None:
    canary = "canary-4711"
    for token in (
        issuer.token(sub=[canary]),
        issuer.token(header={"kid": canary}),
        issuer.token(header={"typ": canary}),
        issuer.token(aud=canary),
        issuer.token(exp=canary),
        canary,
    ):
        with pytest.raises(Unauthenticated) as caught:
            check(token)
        assert canary not in f"{caught.value!r} {caught.value.note}"
    token = issuer.token(sub=canary, header={"typ": "JWT", "x": canary})
    shown = repr(tokens.read([f"Bearer {token}".encode()])) + repr(check(token))
    assert not any(secret in shown for secret in (canary, issuer.key.kid, *token.split(".")))


_ISSUERS = [
    TestIssuer(key=SigningKey(algorithm=name), clock=lambda: 0)
    for name in ("RS256", "ES256", "EdDSA")
]


@given(which=st.sampled_from(range(3)), position=st.integers(0, 2**16), byte=st.integers(0, 255))
@example(which=0, position=0, byte=ord("b"))
@example(which=1, position=-1, byte=ord("B"))
def test_no_changed_byte_changes_what_is_accepted(which: int, position: int, byte: int) -> None:
    """Also B06: a malleable signature may verify, but only over the same claims."""
    issuer = _ISSUERS[which]
    settings = pins(issuer)
    keys = parse_key_set(issuer.jwks_bytes(), settings.algorithms)
    line = bytearray(issuer.bearer().encode())
    line[position % len(line)] = byte
    try:
        token = tokens.read([bytes(line)])
        key = keys.find(token.kid)
        if key is None:
            return
        verified = tokens.verify(token, key, settings, 0)
    except Unauthenticated:
        return
    assert verified.claims == issuer.claims()
