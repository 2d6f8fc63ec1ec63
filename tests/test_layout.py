"""The shape of the repository: tests mirror the code, locks are pinned, the words are ours."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
GATEWAY = REPOSITORY / "gateway"
WITHOUT_TESTS_OF_THEIR_OWN = {
    "__main__.py": "one call",
    "response.py": "two values without behaviour",
    "app.py": "run whole by tests/e2e",
    "single.py": "run whole by tests/e2e",
    "life.py": "lived whole by tests/e2e/test_life.py",
}
STANDALONE = (
    "test_layout.py",
    "test_python.py",
    "test_docs.py",
    "test_policy_guide.py",
    "test_rego.py",
    "test_library.py",
    "test_differential.py",
)
FORBIDDEN_WORDS = ("user", "sanitize", "manager", "helper", "util")


def modules() -> list[Path]:
    return sorted(
        path.relative_to(GATEWAY)
        for path in GATEWAY.rglob("*.py")
        if path.name != "__init__.py" and "demo" not in path.parts
    )


@pytest.mark.parametrize("module", modules(), ids=str)
def test_every_module_has_a_test_file_of_its_own(module: Path) -> None:
    if str(module) in WITHOUT_TESTS_OF_THEIR_OWN:
        return
    test = REPOSITORY / "tests" / module.parent / f"test_{module.name}"
    assert test.is_file(), f"{test.relative_to(REPOSITORY)} is missing"


def test_every_test_file_mirrors_a_module() -> None:
    elsewhere = {
        "bench", "bombs", "cluster", "dashboards", "differential", "e2e", "fuzz", "helm", "rules",
        "support",
    }  # fmt: skip
    for test in (REPOSITORY / "tests").rglob("test_*.py"):
        relative = test.relative_to(REPOSITORY / "tests")
        if elsewhere & set(relative.parts) or relative.name in STANDALONE:
            continue
        module = GATEWAY / relative.parent / relative.name.removeprefix("test_")
        name = relative.stem.removeprefix("test_")
        package = (
            GATEWAY / relative.parent if relative.parent.name == name else module.with_suffix("")
        )
        assert module.is_file() or package.is_dir(), f"{relative} tests nothing that is there"


def test_the_locks_pin_hashes_and_name_no_index() -> None:
    for lock in (REPOSITORY / "requirements").glob("*.lock"):
        text = lock.read_text()
        assert "--hash=sha256:" in text
        assert not re.search(r"https?://|--(extra-)?index-url|--trusted-host", text)
        for block in re.split(r"\n(?=\S)", text):
            if "==" in block:
                assert "--hash=sha256:" in block, block.splitlines()[0]


@pytest.mark.parametrize("module", modules(), ids=str)
def test_names_are_words_of_the_field(module: Path) -> None:
    tree = ast.parse((GATEWAY / module).read_text())
    names = {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    }
    for name in {*names, module.stem}:
        words = re.findall(r"[a-z]+", re.sub(r"([A-Z])", r"_\1", name).lower())
        assert not set(words) & set(FORBIDDEN_WORDS), f"{module}: {name}"


def test_only_enforcement_makes_a_release() -> None:
    makers = {
        path.relative_to(GATEWAY)
        for path in GATEWAY.rglob("*.py")
        if re.search(r"\bRelease\(", path.read_text())
    }
    assert makers <= {Path("enforcement.py")}


def test_no_file_holds_bytes_that_no_editor_shows() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "*.py", "*.rego", "*.md", "*.yaml"],
        cwd=REPOSITORY, capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    for name in listed:
        data = (REPOSITORY / name).read_bytes()
        assert not re.search(rb"[\x00-\x08\x0b-\x1f\x7f]|\xe2\x80[\xaa-\xae]", data), name
