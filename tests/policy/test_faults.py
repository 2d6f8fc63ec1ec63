"""Where a fault of a bundle is, as somebody reads it."""

import pytest

from gateway.policy.faults import RegoFault


@pytest.mark.parametrize(
    ("fault", "place"),
    [
        (RegoFault("privacy/p.rego", "x", 3, 13), "privacy/p.rego:3:13"),
        (RegoFault("privacy/p.rego", "x"), "privacy/p.rego"),
        (RegoFault("", "x"), ""),
    ],
)
def test_a_place_is_as_exact_as_what_is_known(fault: RegoFault, place: str) -> None:
    assert fault.place == place
