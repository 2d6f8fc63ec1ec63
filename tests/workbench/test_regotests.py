"""A bundle's tests end alike on both engines, where both can tell."""

from pathlib import Path

import pytest

from gateway.policy import bundle
from gateway.policy.settings import PolicySettings
from gateway.workbench.regotests import Ending, RegoTest, run_embedded, run_opa
from gateway.workbench.unusable import Unusable
from tests.policy.support import write_bundle

TESTS = """package privacy.x_test

test_holds if true

test_fails if 1 == 2

test_prints_and_fails if {
	print("seen", 1)
	false
}

test_is_one if 1 == 1 with input as {"x": 1}

todo_test_later if false

test_number := 1
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    modules = {"privacy/x.rego": "package privacy.x\n", "privacy/x_test.rego": TESTS}
    return write_bundle(tmp_path / "bundle", modules)


def endings(tests: list[RegoTest]) -> dict[str, Ending]:
    return {each.name.rpartition(".")[2]: each.outcome for each in tests}


EXPECTED = {
    "test_holds": Ending.PASS,
    "test_fails": Ending.FAIL,
    "test_prints_and_fails": Ending.FAIL,
    "test_is_one": Ending.PASS,
    "todo_test_later": Ending.SKIPPED,
    "test_number": Ending.FAIL,
}


async def test_each_test_has_its_ending_embedded(folder: Path) -> None:
    tests = await run_embedded(PolicySettings(bundle=folder))
    assert endings(tests) == EXPECTED
    printed = {each.name.rpartition(".")[2]: each.printed for each in tests}
    assert "seen 1" in printed["test_prints_and_fails"][0]
    assert [each.line for each in tests] == [3, 5, 7, 12, 14, 16]
    assert {each.file for each in tests} == {"privacy/x_test.rego"}


@pytest.mark.opa
async def test_each_test_has_the_same_ending_on_a_real_opa(
    folder: Path, opa_binary: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(Path(opa_binary).parent), prepend=":")
    tests = await run_opa(PolicySettings(bundle=folder))
    assert endings(tests) == EXPECTED
    assert [each.line for each in tests] == [3, 5, 7, 12, 14, 16]
    assert {each.file for each in tests} == {"privacy/x_test.rego"}
    printed = {each.name.rpartition(".")[2]: each.printed for each in tests}
    assert printed["test_prints_and_fails"] == ["seen 1"]


TWICE = "package privacy.y_test\n\ntest_twice if false\n\ntest_twice if true\n"


@pytest.mark.opa
async def test_one_of_several_tests_of_a_name_does_not_hide_another(
    folder: Path, opa_binary: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "privacy" / "y_test.rego").write_text(TWICE)
    tests = await run_embedded(PolicySettings(bundle=folder))
    (twice,) = [each for each in tests if each.name == "privacy.y_test.test_twice"]
    assert twice.outcome is Ending.ERROR and "give each its own name" in twice.note
    monkeypatch.setenv("PATH", str(Path(opa_binary).parent), prepend=":")
    tests = await run_opa(PolicySettings(bundle=folder))
    assert endings(tests)["test_twice"] is Ending.FAIL


CONFLICT = "package privacy.z_test\n\nv := 1 if true\n\nv := 2 if true\n\ntest_v if v == 1\n"


@pytest.mark.opa
async def test_an_error_is_one_line_with_its_place_on_both(
    folder: Path, opa_binary: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "privacy" / "z_test.rego").write_text(CONFLICT)
    monkeypatch.setenv("PATH", str(Path(opa_binary).parent), prepend=":")
    for tests in (
        await run_embedded(PolicySettings(bundle=folder)),
        await run_opa(PolicySettings(bundle=folder)),
    ):
        (error,) = [each for each in tests if each.outcome is Ending.ERROR]
        assert "\n" not in error.note and len(error.note) < 200
    assert error.note.startswith("privacy/z_test.rego:5: complete rules must not produce")


async def test_the_tests_that_ship_hold_embedded() -> None:
    tests = await run_embedded(PolicySettings(bundle=bundle.shipped()))
    assert len(tests) > 50
    assert [each for each in tests if each.outcome is not Ending.PASS] == []


@pytest.mark.opa
async def test_both_engines_find_the_same_shipped_tests(
    opa_binary: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(Path(opa_binary).parent), prepend=":")
    ours, theirs = (
        await run_embedded(PolicySettings(bundle=bundle.shipped())),
        await run_opa(PolicySettings(bundle=bundle.shipped())),
    )
    assert sorted(each.name for each in ours) == sorted(each.name for each in theirs)
    assert {each.outcome for each in theirs} == {Ending.PASS}


async def test_a_test_with_several_cases_never_passes_unseen(tmp_path: Path) -> None:
    cases = (
        'package privacy.x_test\n\ntest_x[name] if {\n\tsome name, n in {"a": 1, "b": 2}\n'
        "\tn == 1\n}\n"
    )
    modules = {"privacy/x.rego": "package privacy.x\n", "privacy/x_test.rego": cases}
    (test,) = await run_embedded(PolicySettings(bundle=write_bundle(tmp_path / "bundle", modules)))
    assert test.outcome is Ending.ERROR and "write a rule for each" in test.note


async def test_a_builtin_that_fails_is_an_error_as_it_is_in_production(tmp_path: Path) -> None:
    failing = "package privacy.x_test\n\ntest_x if not 1 / 0 == 1\n"
    modules = {"privacy/x.rego": "package privacy.x\n", "privacy/x_test.rego": failing}
    (test,) = await run_embedded(PolicySettings(bundle=write_bundle(tmp_path / "bundle", modules)))
    assert (test.outcome, test.note) == (Ending.ERROR, "divide by zero")


async def test_a_test_that_does_not_parse_is_unusable_with_its_line(tmp_path: Path) -> None:
    modules = {
        "privacy/x.rego": "package privacy.x\n",
        "privacy/x_test.rego": "package privacy.x_test\n\ntest_x if {\n",
    }
    folder = write_bundle(tmp_path / "bundle", modules)
    with pytest.raises(Unusable, match=r"x_test\.rego:\d+: "):
        await run_embedded(PolicySettings(bundle=folder))


@pytest.mark.opa
async def test_what_opa_cannot_use_is_its_first_line(
    tmp_path: Path, opa_binary: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(Path(opa_binary).parent), prepend=":")
    modules = {"privacy/x_test.rego": "package privacy.x_test\n\ntest_x if {\n"}
    with pytest.raises(Unusable, match="opa test") as caught:
        await run_opa(PolicySettings(bundle=write_bundle(tmp_path / "bundle", modules)))
    assert "\n" not in str(caught.value)
    with pytest.raises(Unusable, match="opa test"):
        await run_opa(PolicySettings(bundle=tmp_path / "nothing"))


async def test_without_an_opa_there_is_one_clear_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Unusable, match="there is no opa on PATH"):
        await run_opa(PolicySettings(bundle=folder))
