"""Reading a pod that nobody has checked."""

from typing import Any

import pytest

from gateway.injector.pods import containers, mapping, objects
from gateway.injector.verdicts import Refused, Result


def test_an_absent_and_a_null_member_are_empty() -> None:
    assert mapping({}, "spec") == mapping({"spec": None}, "spec") == {}
    assert objects({}, "volumes") == objects({"volumes": None}, "volumes") == []


@pytest.mark.parametrize("value", [[], "x", 0, False])
def test_a_member_of_another_type_than_an_object_is_refused(value: Any) -> None:
    with pytest.raises(Refused) as refused:
        mapping({"spec": value}, "spec")
    assert refused.value.result is Result.POD_MALFORMED


@pytest.mark.parametrize("value", [{}, "x", [1], [{}, None]])
def test_a_member_that_is_no_list_of_objects_is_refused(value: Any) -> None:
    with pytest.raises(Refused) as refused:
        objects({"volumes": value}, "volumes")
    assert refused.value.result is Result.POD_MALFORMED


def test_all_of_a_pods_containers_are_found_whenever_they_run() -> None:
    spec = {
        "containers": [{"name": "b"}],
        "initContainers": [{"name": "a"}],
        "ephemeralContainers": [{"name": "c"}],
    }
    assert [each["name"] for each in containers(spec)] == ["a", "b", "c"]
