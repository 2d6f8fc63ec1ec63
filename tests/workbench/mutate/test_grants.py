"""Everything that can be changed in the deployment's data: until when somebody may."""

from datetime import UTC, datetime

import pytest

from gateway.workbench.mutate.grants import expired

AT = datetime(2026, 6, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("data", "where", "past", "control"),
    [
        (
            {"links": [{"subject": "B7", "expires_at": "2026-06-01T13:00:00Z"}, {"subject": "C"}]},
            "data.links.0.expires_at",
            {"links": [{"subject": "B7", "expires_at": "2026-05-31T12:00:00Z"}, {"subject": "C"}]},
            {"links": [{"subject": "C"}]},
        ),
        (
            {"delegations": {"A1": {"desk": "2030-01-01T00:00:00+02:00", "x": "-"}}},
            "data.delegations.A1.desk",
            {"delegations": {"A1": {"desk": "2026-05-31T12:00:00Z", "x": "-"}}},
            {"delegations": {"A1": {"x": "-"}}},
        ),
        (
            {"consents": {"C1": {"revoked_at": None}}},
            "data.consents.C1.revoked_at",
            {"consents": {"C1": {"revoked_at": "2026-05-31T12:00:00Z"}}},
            {"consents": {}},
        ),
        (
            {"wards": [{"value": "K1", "born": "2012-02-29"}]},
            "data.wards.0.born",
            {"wards": [{"value": "K1", "born": "1926-01-01"}]},
            {"wards": []},
        ),
        ({"until": None}, "data.until", {"until": "2026-05-31T12:00:00Z"}, {}),
    ],
)
def test_grants_are_made_to_have_ended_and_in_the_control_never_were(
    data: dict[str, object], where: str, past: object, control: object
) -> None:
    (end,) = expired(data, AT)
    assert end.change.where.locator == where
    assert (end.data, end.control) == (past, control)


@pytest.mark.parametrize(
    "value", ["2020-01-01T00:00:00Z", "2030-01-01", "B7", 12, True, None, "2030-01-01T00:00:00"]
)
def test_what_is_past_or_no_moment_is_left_alone(value: object) -> None:
    assert list(expired({"links": [{"since": value}]}, AT)) == []
