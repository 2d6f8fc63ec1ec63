"""Every way to refuse: one class per status, one code per cause."""

import pytest

from gateway.errors import (
    BadRequest,
    BadUpstream,
    Code,
    Forbidden,
    InternalError,
    Late,
    MethodNotAllowed,
    NotFound,
    Refusal,
    Unauthenticated,
    Unavailable,
    UpstreamError,
    place,
)

STATUSES: dict[type[Refusal], int] = {
    BadRequest: 400,
    Unauthenticated: 401,
    Forbidden: 403,
    NotFound: 404,
    MethodNotAllowed: 405,
    UpstreamError: 502,
    BadUpstream: 502,
    Unavailable: 503,
    Late: 504,
    InternalError: 500,
}
PLAIN = [kind for kind in STATUSES if kind is not UpstreamError]


def test_these_are_all_the_classes_there_are() -> None:
    assert set(Refusal.__subclasses__()) == set(STATUSES)
    for kind in STATUSES:
        assert kind.__subclasses__() == []


@pytest.mark.parametrize("kind", STATUSES, ids=lambda kind: kind.__name__)
def test_a_class_has_one_status(kind: type[Refusal]) -> None:
    assert kind.status == STATUSES[kind]


@pytest.mark.parametrize("code", Code, ids=str)
def test_every_code_belongs_to_exactly_one_class(code: Code) -> None:
    owners = [kind for kind in STATUSES if code in kind.codes]
    assert len(owners) == (0 if code is Code.TOKEN_REJECTED else 1)


@pytest.mark.parametrize("kind", PLAIN, ids=lambda kind: kind.__name__)
def test_a_class_takes_its_own_codes_and_no_others(kind: type[Refusal]) -> None:
    for code in Code:
        if code in kind.codes:
            refusal = kind(code, "where")
            assert (refusal.code, refusal.note) == (code, "where")
            assert refusal.http_status == kind.status
        else:
            with pytest.raises(ValueError, match="has no code"):
                kind(code)


@pytest.mark.parametrize("kind", PLAIN, ids=lambda kind: kind.__name__)
def test_the_caller_reads_the_code_except_for_tokens(kind: type[Refusal]) -> None:
    for code in kind.codes:
        public = Code.TOKEN_REJECTED if kind is Unauthenticated else code
        assert kind(code).public_code is public


def test_an_upstream_error_keeps_the_status_and_its_code_says_refused_or_failed() -> None:
    for status in (400, 404, 451, 499, 500, 599):
        refusal = UpstreamError(status)
        code = Code.UPSTREAM_ERROR if status >= 500 else Code.UPSTREAM_REFUSED
        assert (refusal.http_status, refusal.code) == (status, code)
    for status in (0, 200, 204, 302, 399, 600):
        with pytest.raises(ValueError, match="is not an error status"):
            UpstreamError(status)


def test_codes_are_plain_words_for_labels_and_logs() -> None:
    for code in Code:
        assert code.value == code.name.lower()
        assert code.value.replace("_", "").isalpha()


def test_a_bug_is_named_by_type_and_place_and_never_by_its_text() -> None:
    try:
        int("A1's diagnosis")
    except ValueError as error:
        said = place(error)
    assert said.startswith("ValueError at tests.test_errors:")
    assert "diagnosis" not in said
    assert place(KeyError("never raised")) == "KeyError at ?"
