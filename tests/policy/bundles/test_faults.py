"""A fault is one line: where, and why."""

from pathlib import Path

from gateway.policy.bundles.faults import BundleError


def test_it_names_the_place_and_the_cause() -> None:
    fault = BundleError(Path("b") / "p.rego", "not UTF-8 at byte 3")
    assert str(fault) == "b/p.rego: not UTF-8 at byte 3"
    assert (fault.path, fault.message) == ("b/p.rego", "not UTF-8 at byte 3")
