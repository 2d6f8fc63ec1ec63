"""The policies that come with the gateway are where it looks for them."""

from gateway.policy.shipped import shipped


def test_the_folder_holds_a_bundle_and_the_capabilities() -> None:
    assert (shipped() / ".manifest").is_file()
    assert (shipped() / "privacy" / "decision" / "decision.rego").is_file()
    assert (shipped() / "capabilities" / "embedded.json").is_file()
