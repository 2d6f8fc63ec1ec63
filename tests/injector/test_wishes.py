"""Annotations are read strictly: a typo must not mean "no gateway"."""

from typing import Any

import pytest

from gateway.injector.verdicts import Refused, Result
from gateway.injector.wishes import Wishes, read

P = "privacy-gateway.dev/"


def refused(annotations: dict[str, Any], labels: dict[str, Any] | None = None) -> Refused:
    with pytest.raises(Refused) as caught:
        read(annotations, labels or {})
    return caught.value


def test_a_pod_without_our_annotations_asks_for_nothing() -> None:
    assert read({}, {}) is None
    assert read({"example.org/inject": "true", "privacy-gateway.devil/inject": "true"}, {}) is None


def test_true_asks_and_false_declines() -> None:
    assert read({P + "inject": "true"}, {}) == Wishes()
    assert read({P + "inject": "false"}, {}) is False


@pytest.mark.parametrize(
    "value", ["True", "TRUE", "yes", "1", "on", "", " true", "true\n", "tru", "enabled", None, True]
)
def test_any_other_value_is_refused(value: Any) -> None:
    assert refused({P + "inject": value}).result is Result.ANNOTATION_INVALID


@pytest.mark.parametrize("name", ["injct", "Inject", "inject ", "upstream_port", "", "injected"])
def test_an_unknown_annotation_of_ours_is_refused_and_the_known_ones_are_told(name: str) -> None:
    for also in ({}, {P + "inject": "true"}, {P + "inject": "false"}):
        found = refused({**also, P + name: "true"})
        assert found.result is Result.ANNOTATION_UNKNOWN
        assert P + "upstream-port" in found.message


def test_how_without_whether_is_refused() -> None:
    assert refused({P + "upstream-port": "3000"}).result is Result.ANNOTATION_INVALID


def test_the_annotation_as_a_label_is_refused() -> None:
    for labels in ({P + "inject": "true"}, {P + "inject": "false"}):
        assert refused({}, labels).result is Result.ANNOTATION_UNKNOWN
        assert "not a label" in refused({P + "inject": "true"}, labels).message


@pytest.mark.parametrize("prefix", ["Privacy-Gateway.dev/", "PRIVACY-GATEWAY.DEV/"])
def test_the_prefix_in_capitals_is_refused(prefix: str) -> None:
    """The API server takes it: it looks at a key's lower case (ValidateAnnotations)."""
    for also in ({}, {P + "inject": "true"}, {P + "inject": "false"}):
        assert refused({**also, prefix + "inject": "true"}).result is Result.ANNOTATION_UNKNOWN


@pytest.mark.parametrize("name", ["injection", "config", "upstream-port", "Injected"])
def test_no_label_of_ours_is_taken_for_a_pods(name: str) -> None:
    """`injection` is a namespace's."""
    for annotations in ({}, {P + "inject": "true"}, {P + "inject": "false"}):
        found = refused(annotations, {P + name: "enabled"})
        assert found.result is Result.ANNOTATION_UNKNOWN
        assert "not a label" in found.message


def test_the_label_of_injected_pods_is_refused_for_others() -> None:
    """NetworkPolicies and monitors select it."""
    labels = {P + "injected": "true"}
    assert refused({}, labels).result is Result.ANNOTATION_INVALID
    assert refused({P + "inject": "false"}, labels).result is Result.ANNOTATION_INVALID
    assert read({P + "inject": "true"}, labels) == Wishes()


@pytest.mark.parametrize("port", ["1", "3000", "65535"])
def test_a_port_is_taken(port: str) -> None:
    assert read({P + "inject": "true", P + "upstream-port": port}, {}) == Wishes(int(port))


@pytest.mark.parametrize(
    "port", ["0", "65536", "99999", "03000", "3000 ", "+3000", "3_000", "٣٠٠٠", "http", "", 3000]
)
def test_what_is_no_port_is_refused(port: Any) -> None:
    found = refused({P + "inject": "true", P + "upstream-port": port})
    assert found.result is Result.ANNOTATION_INVALID
    assert "65535" in found.message


@pytest.mark.parametrize("name", ["gateway", "a", "my.config-2", "x" * 253])
def test_a_config_map_is_taken(name: str) -> None:
    assert read({P + "inject": "true", P + "config": name}, {}) == Wishes(config=name)


@pytest.mark.parametrize(
    "name", ["", "-a", "a-", "A", "a/b", "other/config", "a..b", "x" * 254, "a\n", "ä", 7]
)
def test_what_is_no_name_of_a_config_map_is_refused(name: Any) -> None:
    found = refused({P + "inject": "true", P + "config": name})
    assert found.result is Result.ANNOTATION_INVALID
    assert "ConfigMap" in found.message
