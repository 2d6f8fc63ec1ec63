"""AdmissionReview in and out."""

import json
from typing import Any

import pytest

from gateway.injector.review import allowed, denied, read
from gateway.injector.verdicts import Refused, Result, Unanswerable
from tests.support.pods import CANARY, answered, pod, review


def changed(**top: Any) -> bytes:
    return json.dumps({**json.loads(review(pod())), **top}).encode()


def test_a_review_of_a_new_pod_gives_the_pod() -> None:
    found = read(review(pod()))
    assert found.pod() == pod()
    assert found.uid == "705ab4f5-6393-11e8-b7cc-42010a800002"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"\xff\xfe",
        b'{"apiVersion": NaN}',
        review(pod())[:-1],
        review(pod()) + b"{}",
        review(pod()).replace(b'"uid":', b'"uid": "twice", "uid":', 1),
        b"[" * 100_000,
        b'{"a":' * 100_000,
        review(pod()).replace(b'"image"', b'"x": ' + b"[" * 5_000 + b"]" * 5_000 + b', "image"'),
        changed(apiVersion="admission.k8s.io/v1beta1"),
        changed(kind="Pod"),
        changed(kind=None),
        changed(request=None),
        changed(request=[]),
        review(pod(), uid=""),
        review(pod(), uid=None),
        review(pod(), uid=7),
        review(pod(), uid="x" * 129),
        review(pod(), uid="a\nb"),
    ],
)
def test_what_is_no_review_is_a_bad_request_that_quotes_nothing(body: bytes) -> None:
    with pytest.raises(Unanswerable) as caught:
        read(body)
    assert (caught.value.status, caught.value.result) == (400, Result.REVIEW_MALFORMED)
    assert CANARY not in caught.value.message
    assert "twice" not in caught.value.message


def test_a_text_that_never_ends_is_looked_through_once() -> None:
    """Begun again at each of its quotes, this would take days, and no other review an answer."""
    with pytest.raises(Unanswerable) as caught:
        read(b"[" + b"," * 200_001 + b'\\"' * 2**21)
    assert caught.value.result is Result.REVIEW_TOO_LARGE
    with pytest.raises(Unanswerable) as caught:  # what is in it isn't counted
        read(b'"' + b'\\",' * 2**20)
    assert caught.value.result is Result.REVIEW_MALFORMED


def test_a_review_of_very_many_values_is_too_large_and_one_of_long_texts_is_not() -> None:
    with pytest.raises(Unanswerable) as caught:
        read(b'{"a": [' + b"[]," * 100_001 + b"1]}")
    assert (caught.value.status, caught.value.result) == (413, Result.REVIEW_TOO_LARGE)
    talkative = pod({"note": '[,{"' * 100_000})
    assert read(review(talkative)).pod() == talkative


@pytest.mark.parametrize(
    ("request_", "result"),
    [
        ({"operation": "UPDATE"}, Result.REVIEW_UNEXPECTED),
        ({"operation": "DELETE"}, Result.REVIEW_UNEXPECTED),
        ({"operation": None}, Result.REVIEW_UNEXPECTED),
        ({"subResource": "ephemeralcontainers"}, Result.REVIEW_UNEXPECTED),
        (
            {"kind": {"group": "apps", "version": "v1", "kind": "Deployment"}},
            Result.REVIEW_UNEXPECTED,
        ),
        ({"kind": "Pod"}, Result.REVIEW_UNEXPECTED),
        ({"object": None}, Result.POD_MALFORMED),
        ({"object": [pod()]}, Result.POD_MALFORMED),
    ],
)
def test_a_review_of_something_else_is_refused(request_: dict[str, Any], result: Result) -> None:
    found = read(review(pod(), **request_))
    with pytest.raises(Refused) as caught:
        found.pod()
    assert caught.value.result is result


def test_an_answer_without_a_patch_says_nothing_of_one() -> None:
    found = answered(allowed("u-1"))
    assert (found.uid, found.allowed, found.patch) == ("u-1", True, [])


def test_a_patch_comes_back_as_it_was() -> None:
    patch = [{"op": "add", "path": "/metadata/labels/a~1b", "value": "ä"}]
    assert answered(allowed("u-1", patch)).patch == patch


def test_a_denial_says_why() -> None:
    found = answered(denied("u-1", "because"))
    assert (found.uid, found.allowed, found.message) == ("u-1", False, "because")


def test_namespace_and_owner_are_names_or_invalid() -> None:
    owned = pod()
    owned["metadata"]["ownerReferences"] = [{"kind": "ReplicaSet", "name": CANARY}]
    found = read(review(owned))
    assert (found.namespace, found.owner) == ("shop", "ReplicaSet")
    owned["metadata"]["ownerReferences"] = [{"kind": CANARY + " is not a kind"}]
    found = read(review(owned, namespace=CANARY + "\n"))
    assert (found.namespace, found.owner) == ("invalid", "invalid")
    assert read(review(pod())).owner == "none"
    assert read(review("x", namespace=None)).owner == "none"
