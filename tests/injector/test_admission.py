"""One review, decided."""

import json
from typing import Any

import jsonpatch
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.injector.admission import decide
from gateway.injector.template import load
from gateway.injector.verdicts import Result, Unanswerable
from tests.injector.pods import anything, broken, pods
from tests.support.pods import CANARY, INJECT, answered, pod, review, sidecar

TEMPLATE = load(sidecar())


def decided(pod_: Any, *, required: bool = False, **request: Any) -> tuple[Result, Any]:
    verdict = decide(review(pod_, **request), TEMPLATE, required=required)
    return verdict.result, answered(verdict.answer)


def test_a_pod_that_asks_gets_the_sidecar() -> None:
    result, answer = decided(pod())
    assert (result, answer.allowed) == (Result.INJECTED, True)
    done = jsonpatch.apply_patch(pod(), answer.patch)
    assert [each["name"] for each in done["spec"]["initContainers"]] == ["opa", "privacy-gateway"]


def test_a_second_review_of_the_same_pod_changes_nothing() -> None:
    done = jsonpatch.apply_patch(pod(), decided(pod())[1].patch)
    result, answer = decided(done)
    assert (result, answer.allowed, answer.patch) == (Result.ALREADY_INJECTED, True, [])


@pytest.mark.parametrize(
    ("since", "result"),
    [
        ({}, Result.ALREADY_INJECTED),
        ({"hostNetwork": True}, Result.HOST_NETWORK),
        ({"containers": [{"name": "app", "ports": [{"containerPort": 3, "hostPort": 3}]}]},
         Result.HOST_PORT),
        ({"containers": [{"name": "app", "ports": [{"containerPort": 8080}]}]}, Result.PORT_TAKEN),
        ({"containers": [{"name": "app", "ports": [{"containerPort": 3, "name": "http"}]}]},
         Result.PORT_TAKEN),
    ],
)  # fmt: skip
def test_what_another_webhook_puts_in_the_way_after_the_sidecar_is_refused(
    since: dict[str, Any], result: Result
) -> None:
    """The API server asks again about a pod that another webhook has changed."""
    done = jsonpatch.apply_patch(pod(), decided(pod())[1].patch)
    done["spec"].update(since)
    found, answer = decided(done)
    assert (found, answer.allowed) == (result, result is Result.ALREADY_INJECTED)
    assert answer.patch == []


@pytest.mark.parametrize("annotations", [{}, {"other.example/x": "1"}])
def test_a_pod_that_says_nothing_is_not_touched_unless_it_must_say(
    annotations: dict[str, str],
) -> None:
    result, answer = decided(pod(annotations))
    assert (result, answer.allowed, answer.patch) == (Result.NOT_ASKED, True, [])
    result, answer = decided(pod(annotations), required=True)
    assert (result, answer.allowed) == (Result.NOT_DECIDED, False)
    assert INJECT in answer.message


@pytest.mark.parametrize("required", [True, False])
def test_a_pod_that_declines_is_not_touched(required: bool) -> None:
    result, answer = decided(pod({INJECT: "false"}), required=required)
    assert (result, answer.allowed, answer.patch) == (Result.OPTED_OUT, True, [])


@pytest.mark.parametrize(
    ("pod_", "request_"),
    [
        (pod({INJECT: "yes"}), {}),
        (pod({"privacy-gateway.dev/injekt": "true"}), {}),
        (pod(hostNetwork=True), {}),
        (pod(volumes=[{"name": "gateway-config"}]), {}),
        ({"metadata": {"annotations": {INJECT: "true"}}, "spec": []}, {}),
        ({"metadata": "x"}, {}),
        (pod(), {"operation": "UPDATE"}),
        (None, {}),
    ],
)
def test_what_can_not_be_guarded_is_denied(pod_: Any, request_: dict[str, Any]) -> None:
    _, answer = decided(pod_, **request_)
    assert not answer.allowed
    assert answer.patch == []
    assert answer.message
    assert CANARY not in answer.message


@pytest.mark.parametrize("metadata", [None, {}, {"annotations": None, "labels": None}])
def test_a_pod_without_annotations_is_one_that_says_nothing(metadata: Any) -> None:
    assert decided({"metadata": metadata, "spec": {}})[0] is Result.NOT_ASKED


@settings(deadline=None)
@given(broken)
def test_no_pod_that_asks_is_ever_allowed_without_the_sidecar(pod_: dict[str, Any]) -> None:
    result, answer = decided(pod_)
    if answer.allowed:
        assert result is Result.INJECTED
        done = jsonpatch.apply_patch(pod_, answer.patch)
        names = [each["name"] for each in done["spec"]["initContainers"]]
        assert names[:2] == ["opa", "privacy-gateway"]


@settings(deadline=None)
@given(pods)
def test_reviewed_again_no_pod_gets_a_second_one(pod_: dict[str, Any]) -> None:
    result, answer = decided(pod_)
    assert result is Result.INJECTED
    result, answer = decided(jsonpatch.apply_patch(pod_, answer.patch))
    assert (result, answer.allowed, answer.patch) == (Result.ALREADY_INJECTED, True, [])


@settings(deadline=None)
@given(st.binary(max_size=64) | anything.map(lambda value: json.dumps(value).encode()))
def test_whatever_comes_is_no_crash(body: bytes) -> None:
    with pytest.raises(Unanswerable):
        decide(body, TEMPLATE, required=False)
