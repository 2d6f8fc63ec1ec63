"""What no single setting can know: files, ports, endpoints side by side."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.checks import _unclear
from gateway.endpoints import Endpoint, Endpoints
from gateway.errors import NotFound
from gateway.inspection.settings import BodySpec
from gateway.model import Format
from tests.config.conftest import MINIMAL, Faults, Loaded
from tests.policy.bundles.support import signing_key


def endpoint(name: str, path: str) -> str:
    return f"  - {{name: {name}, path: '{path}', body: {{format: json}}}}\n"


def test_no_endpoint_has_the_name_of_the_planted_one(faults: Faults) -> None:
    """A policy may know that one by its name."""
    text = MINIMAL + endpoint("self-proof", "/self-proof")
    (said,) = faults(text)
    assert "name: this name is for the planted exchanges" in said
    assert faults(MINIMAL + endpoint("self-proof-2", "/self-proof")) == []


def test_the_two_ports_must_be_two(faults: Faults) -> None:
    assert faults(MINIMAL + "admin: 127.0.0.1:8080\n") == [
        "gateway.yaml:14:8: admin: the data port and the admin port must be two"
    ]
    assert faults(MINIMAL + "listen: 127.0.0.1:8282\n") != []
    assert faults(MINIMAL + "admin: 127.0.0.1:0\nlisten: 127.0.0.1:0\n") == []


# --- files --------------------------------------------------------------------------------------


def test_a_key_file_that_is_not_there_is_a_fault(faults: Faults, folder: Path) -> None:
    (folder / "pseudonym-key").unlink()
    assert faults() == [
        "gateway.yaml:9:59: decision_log.pseudonym_key_file: No such file or directory"
    ]


def test_a_key_that_is_short_or_open_to_everybody_is_a_fault(faults: Faults, folder: Path) -> None:
    key = folder / "pseudonym-key"
    key.chmod(0o644)
    assert "open to everybody" in faults()[0]
    key.chmod(0o600)
    assert faults() == []
    key.write_bytes(b"short")
    assert "32 bytes" in faults()[0]


def test_the_key_of_masks_is_a_file_of_its_own(faults: Faults, folder: Path) -> None:
    text = MINIMAL + "inspection: {pseudonym_key_file: mask-key}\n"
    assert faults(text) == [
        "gateway.yaml:14:34: inspection.pseudonym_key_file: No such file or directory"
    ]
    key = folder / "mask-key"
    key.write_bytes((folder / "pseudonym-key").read_bytes())
    key.chmod(0o600)
    (said,) = faults(text)
    assert "the decision log's secret; what leaves needs one of its own" in said
    key.write_bytes(bytes(32))
    assert faults(text) == []


def test_a_key_that_was_put_where_its_file_belongs_is_not_repeated(faults: Faults) -> None:
    secret = "c2VjcmV0IG9mIHRoaXJ0eS10d28gYnl0ZXMgb3IgbW9yZSE"
    (fault,) = faults(MINIMAL.replace("pseudonym-key}", secret + "}"))
    assert secret not in fault


def test_a_log_needs_its_folder(faults: Faults) -> None:
    assert faults(MINIMAL.replace("decisions.jsonl", "nowhere/decisions.jsonl")) == [
        "gateway.yaml:9:22: decision_log.file: its folder doesn't exist"
    ]


def test_keys_in_a_file_must_be_there(faults: Faults, folder: Path) -> None:
    text = MINIMAL.replace("https://id.example.org/jwks.json", "jwks.json")
    assert faults(text) == [
        "gateway.yaml:6:13: identity.issuers[0].jwks: no such file"
        " (a relative path starts at the configuration's folder)"
    ]
    (folder / "jwks.json").write_text('{"keys": []}')
    assert faults(text) == []


def test_a_certificate_file_must_be_there(faults: Faults, folder: Path) -> None:
    text = MINIMAL.replace("http://127.0.0.1:3000", "{url: https://x.example, ca_file: ca.pem}")
    assert "upstream.ca_file: no such file" in faults(text)[0]
    (folder / "ca.pem").touch()
    assert faults(text) == []


def test_paths_that_no_file_system_has_are_faults(faults: Faults) -> None:
    text = MINIMAL.replace("decisions.jsonl", r'"a\0b"') + r'policy: {bundle: "a\0b"}' + "\n"
    assert len(faults(text)) == 2
    assert len(faults(MINIMAL.replace("https://id.example.org/jwks.json", r'"a\0b"'))) == 1


def test_a_policy_folder_must_be_a_usable_bundle(faults: Faults, folder: Path) -> None:
    text = MINIMAL + "policy: {bundle: policies}\n"
    assert faults(text) == [
        f"gateway.yaml:14:18: policy.bundle: {folder}/policies: not a folder and not a"
        " .tar.gz: there is nothing"
    ]
    (folder / "policies").mkdir()
    assert "policy.bundle" in faults(text)[0]
    (folder / "policies" / ".manifest").write_text('{"roots": ["privacy"]}')
    (folder / "policies" / "x.rego").write_text("package privacy.decision\n")
    assert faults(text) == []


def test_policy_data_must_be_readable(faults: Faults, folder: Path) -> None:
    text = MINIMAL + "policy: {data: deployment.json}\n"
    assert "policy.data: " in faults(text)[0]
    (folder / "deployment.json").write_text("{")
    assert "not strict JSON" in faults(text)[0]
    (folder / "deployment.json").write_text(json.dumps({"grounds": {}}))
    assert faults(text) == []


def test_a_bundle_on_a_server_is_not_fetched_but_what_is_here_is_read(
    faults: Faults, folder: Path
) -> None:
    text = MINIMAL + (
        "policy:\n  bundle: https://nowhere.invalid/b.tar.gz\n  data: deployment.json\n"
        "  delivery: {token_file: token, ca_file: ca.pem}\n"
    )
    told = faults(text)
    assert len(told) == 3
    assert "policy.data: " in told[0]
    assert all("no such file" in fault for fault in told[1:])
    for name in ("token", "ca.pem"):
        (folder / name).touch()
    (folder / "deployment.json").write_text("[]")
    assert ["expected an object" in fault for fault in faults(text)] == [True]
    (folder / "deployment.json").write_text("{}")
    assert faults(text) == []


def test_a_signing_key_must_fit_and_the_bundle_must_be_signed_with_it(
    faults: Faults, folder: Path
) -> None:
    (folder / "policies").mkdir()
    (folder / "policies" / ".manifest").write_text('{"roots": ["privacy"]}')
    (folder / "policies" / "x.rego").write_text("package privacy.decision\n")
    signing = "{key_file: key.pem, key_id: prod, algorithm: ES256}"
    text = MINIMAL + f"policy:\n  bundle: policies\n  delivery:\n    signing: {signing}\n"
    assert "policy.delivery.signing.key_file: No such file" in faults(text)[0]
    key = signing_key(folder, "RS256")
    key.public.rename(folder / "key.pem")
    assert "holds a key that is not for ES256" in faults(text)[0]
    signing_key(folder, "ES256").public.rename(folder / "key.pem")
    assert "missing: the configuration asks for a signed bundle" in faults(text)[0]
    assert len(faults(text)) == 1


def test_a_fault_of_the_delivery_is_told_once(faults: Faults) -> None:
    text = MINIMAL + "policy: {bundle: nowhere, delivery: {max_age: 1s}}\n"
    told = faults(text)
    assert len(told) == 1
    assert "max_age must be longer" in told[0]


def test_a_bundle_is_not_looked_for_where_opa_has_its_own(faults: Faults) -> None:
    policy = "policy: {bundle: nowhere, engine: opa, opa: 'http://127.0.0.1:8181'}\n"
    assert faults(MINIMAL + policy) == []


# --- issuers ------------------------------------------------------------------------------------


def test_an_issuer_without_identifiers_is_a_fault(faults: Faults) -> None:
    text = MINIMAL.replace("      identifiers: {account: sub}\n", "")
    assert faults(text) == [
        "gateway.yaml:4:7: identity.issuers[0].identifiers:"
        " name at least one identifier, or nothing belongs to this issuer's callers"
    ]
    assert len(faults(MINIMAL.replace("{account: sub}", "{}"))) == 1


# --- endpoints ----------------------------------------------------------------------------------


def test_two_endpoints_with_one_name_are_a_fault(faults: Faults) -> None:
    assert faults(MINIMAL + endpoint("orders", "/other")) == [
        "gateway.yaml:14:12: endpoints[1].name: endpoints[0] already has this name"
    ]
    assert faults(MINIMAL + endpoint("others", "/other")) == []


@pytest.mark.parametrize(
    ("one", "other", "unclear"),
    [
        ("/a/b", "/a/b", True),
        ("/a/{x}", "/a/{y}", True),
        ("/a/{x}/c", "/a/b/{y}", True),
        ("/{x}/b", "/a/{y}", True),
        ("/a/b", "/a/{x}", False),
        ("/a/{x}", "/a/b", False),
        ("/a/b", "/a/c", False),
        ("/a/{x}/c", "/a/{x}/d", False),
        ("/a/{x}", "/a/{x}/c", False),
        ("/{x}/{y}", "/a/{y}", False),
        ("/a", "/A", False),
    ],
)
def test_paths_that_two_endpoints_match_equally_well_are_a_fault(
    faults: Faults, one: str, other: str, unclear: bool
) -> None:
    found = faults(MINIMAL + endpoint("one", one) + endpoint("other", other))
    assert bool(found) is unclear
    if unclear:
        assert found[0].endswith(
            "endpoints[2].path: endpoints[1] matches the same paths, and neither is more specific"
        )


segments = st.lists(st.sampled_from(["a", "b", "{x}"]), min_size=1, max_size=3)


@given(segments, segments, segments)
def test_what_passes_is_matched_the_same_in_any_order(
    one: list[str], other: list[str], path: list[str]
) -> None:
    def template(segments: list[str]) -> str:
        return "/" + "/".join(
            segment.replace("x", f"x{index}") if "{" in segment else segment
            for index, segment in enumerate(segments)
        )

    endpoints = [
        Endpoint(name, template(each), BodySpec(Format.JSON))
        for name, each in (("one", one), ("other", other))
    ]
    if _unclear(one, other):
        return
    asked = [segment.strip("{}") for segment in path]
    found = set()
    for order in (endpoints, endpoints[::-1]):
        try:
            found.add(Endpoints(order).match("GET", asked).endpoint.name)
        except NotFound:
            found.add("")
    assert len(found) == 1


def test_a_value_that_is_wrong_already_is_left_alone(faults: Faults) -> None:
    text = MINIMAL.replace("pseudonym-key}", "5}").replace("/exports/orders", "x")
    found = faults(text + endpoint("orders", "x"))
    assert [fault.split(": ")[1] for fault in found] == [
        "decision_log.pseudonym_key_file",
        "endpoints[0].path",
        "endpoints[1].name",
        "endpoints[1].path",
    ]


def test_a_shadow_that_is_not_there_is_no_fault_as_it_stops_nothing(faults: Faults) -> None:
    assert faults(MINIMAL + "policy: {shadow: nowhere}\n") == []
    assert faults(MINIMAL + "policy: {shadow: {bundel: next}}\n") != []


# --- endpoints that are only observed -----------------------------------------------------------

DAY = timedelta(days=1)


def observing(*keys: str) -> str:
    return MINIMAL + "".join(f"    {key}\n" for key in keys)


def ahead(days: int) -> str:
    return (datetime.now(UTC) + days * DAY).date().isoformat()


@pytest.mark.parametrize("days", [-400, -1, 0, 1, 90])
def test_an_end_within_ninety_days_is_well_and_a_past_one_too(faults: Faults, days: int) -> None:
    """A gateway that starts again after the end must start, and enforces."""
    assert faults(observing("enforcement: observe", f"observe_until: {ahead(days)}")) == []


@pytest.mark.parametrize("days", [92, 400])
def test_an_end_too_far_ahead_is_a_fault(faults: Faults, days: int) -> None:
    """D25"""
    assert faults(observing("enforcement: observe", f"observe_until: {ahead(days)}")) == [
        "gateway.yaml:15:20: endpoints[0].observe_until: at most 90 days ahead;"
        " observe for a shorter time, then enforce"
    ]
    instant = f"{ahead(days)}T00:00:00Z"
    assert len(faults(observing("enforcement: observe", f"observe_until: {instant}"))) == 1


@pytest.mark.parametrize(
    ("keys", "fault"),
    [
        (["enforcement: observe"], "11:5: endpoints[0]: enforcement: observe needs the day"),
        (["observe_until: 2026-06-01"], "endpoints[0]: observe_until is set, but nothing"),
        (
            ["enforcement: enforce", "observe_until: 2026-06-01"],
            "endpoints[0]: observe_until is set, but nothing is observed",
        ),
        (
            ["enforcement: obsreve", "observe_until: 2026-06-01"],
            "`obsreve` is not one of `enforce`, `observe`; did you mean `observe`?",
        ),
        (["enforcement: off"], "`off` is not one of `enforce`, `observe`"),
        (["enforcement: true"], "expected one of `enforce`, `observe`, found true"),
        (["enforcment: observe"], "unknown key; did you mean `enforcement`?"),
        (
            ["enforcement: observe", "observe_until: tomorrow"],
            "15:20: endpoints[0].observe_until: expected a date such as 2026-12-31",
        ),
        (["enforcement: observe", "observe_until: 2026-06-01T12:00:00"], "expected a date"),
        (["enforcement: observe", "observe_until: 2026-06-31"], "there is no such day"),
        (["enforcement: observe", "observe_until: 20260601"], "expected a date"),
    ],
)
def test_observing_by_accident_is_a_fault(faults: Faults, keys: list[str], fault: str) -> None:
    """D25"""
    (found,) = faults(observing(*keys))
    assert fault in found


def test_no_variable_can_say_that_an_endpoint_is_only_observed(
    faults: Faults, loaded: Loaded
) -> None:
    """D25"""
    flag = "PRIVACY_GATEWAY_ENDPOINTS__0__ENFORCEMENT"
    until = "PRIVACY_GATEWAY_ENDPOINTS__0__OBSERVE_UNTIL"
    for environ in ({flag: "observe"}, {flag: "observe", until: ahead(1)}, {flag: "enforce"}):
        found = faults(environ=environ)
        assert f"{flag}: endpoints[0].enforcement: this is set in the file only;" in found[0]
    # Nor can one prolong what the file says.
    text = observing("enforcement: observe", f"observe_until: {ahead(1)}")
    assert "set in the file only" in faults(text, {until: ahead(80)})[0]
    assert loaded(text).endpoints[0].observes(datetime.now(UTC))
