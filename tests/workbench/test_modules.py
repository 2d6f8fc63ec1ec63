"""The modules that decide, and their tests."""

import json
import os
from pathlib import Path

import pytest

from gateway.policy import bundle
from gateway.policy.settings import PolicySettings
from gateway.workbench.modules import folder_of, of_bundle, with_tests
from gateway.workbench.unusable import Unusable
from tests.policy.support import write_bundle

MODULES = {
    "privacy/x.rego": "package privacy.x\n",
    "privacy/x_test.rego": "package privacy.x_test\n",
    "privacy/.hidden/y_test.rego": "package privacy.y_test\n",
}


def test_without_a_bundle_it_is_the_one_that_ships() -> None:
    assert folder_of(PolicySettings()) == bundle.shipped()
    assert "privacy/decision/decision.rego" in of_bundle(PolicySettings()).texts


def test_the_deployments_own_data_is_the_one_that_decides(tmp_path: Path) -> None:
    folder = write_bundle(tmp_path / "bundle", MODULES, data={"grounds": {"a": True}})
    data = tmp_path / "data.json"
    data.write_text('{"grounds": {"b": true}}')
    loaded = of_bundle(PolicySettings(bundle=folder, data=data))
    assert json.loads(loaded.data)["privacy"]["deployment"] == {"grounds": {"b": True}}
    assert list(loaded.texts) == ["privacy/x.rego"]


def test_tests_come_along_where_they_are_asked_for(tmp_path: Path) -> None:
    loaded = with_tests(PolicySettings(bundle=write_bundle(tmp_path / "bundle", MODULES)))
    assert set(loaded.texts) == {"privacy/x.rego", "privacy/x_test.rego"}


def test_a_bundle_that_cannot_be_used_is_unusable(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match="not a folder"):
        of_bundle(PolicySettings(bundle=tmp_path / "nothing"))


def test_a_bundle_at_a_url_is_not_fetched() -> None:
    at_url = PolicySettings(bundle="https://bundles.example/b.tar.gz?token=secret")
    with pytest.raises(Unusable, match="say --bundle FILE") as caught:
        of_bundle(at_url)
    assert "secret" not in str(caught.value)


def test_a_file_of_tests_that_cannot_be_read_is_unusable(tmp_path: Path) -> None:
    folder = write_bundle(tmp_path / "bundle", {"privacy/x.rego": "package privacy.x\n"})
    test = folder / "privacy" / "x_test.rego"
    for content, words in ((b"\xff", "not UTF-8"), (b"#" * (2**20 + 1), "more than")):
        test.write_bytes(content)
        with pytest.raises(Unusable, match=words):
            with_tests(PolicySettings(bundle=folder))
    test.unlink()
    os.mkfifo(test)
    with pytest.raises(Unusable, match="not a regular file"):
        with_tests(PolicySettings(bundle=folder))
