"""Formats of installed packages: found by name, held to the row, told what is wrong with them."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.inspection.formats import FORMATS, outside
from gateway.inspection.formats.outside import GROUP, OutsideFormatError
from gateway.model import Format


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder in which packages are installed."""
    monkeypatch.syspath_prepend(str(tmp_path))
    outside._load.cache_clear()
    yield tmp_path
    outside._load.cache_clear()


def install(site: Path, name: str, source: str, package: str = "acme") -> Format:
    module = f"{package}_{name.partition('.')[2].replace('-', '_')}"
    (site / f"{module}.py").write_text(source)
    info = site / f"{package}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{GROUP}]\n{name} = {module}:READER\n")
    sys.modules.pop(module, None)
    return Format(name)


READER = """
from gateway.inspection.formats import FORMATS
from gateway.model import Format
READER = FORMATS[Format.JSON]._replace(suffix="acme")
"""


def test_an_installed_package_brings_its_format(site: Path) -> None:
    form = install(site, "acme.records", READER)
    assert FORMATS[form].suffix == "acme"
    assert FORMATS.get(form) is FORMATS[form]
    assert form not in [*FORMATS]


def test_a_format_that_nobody_brings_is_not_there(site: Path) -> None:
    assert FORMATS.get(Format("acme.nothing")) is None
    assert FORMATS.get(Format("acme.nothing"), "none") == "none"
    with pytest.raises(KeyError):
        FORMATS[Format("acme.nothing")]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("raise RuntimeError('on import')", "can't be loaded: RuntimeError"),
        ("", "can't be loaded: AttributeError"),
        ("READER = 42", "is int, not a Reader"),
        (READER + "READER = READER._replace(settings=frozenset({'width'}))", r"\['width'\]"),
        (READER + "READER = READER._replace(media_types=())", "has no media type"),
    ],
    ids=["broken", "empty", "no reader", "unknown setting", "no media type"],
)
def test_what_is_no_format_is_named_with_its_package(site: Path, source: str, said: str) -> None:
    form = install(site, "acme.broken", source)
    with pytest.raises(OutsideFormatError, match=rf"^acme.broken of acme 1.0 .*{said}"):
        FORMATS.get(form)


def test_a_format_of_two_packages_is_nobodys(site: Path) -> None:
    install(site, "acme.records", READER)
    form = install(site, "acme.records", READER, package="other")
    with pytest.raises(OutsideFormatError, match=r"several packages: acme 1.0, other 1.0"):
        FORMATS.get(form)


def test_a_package_can_not_take_the_place_of_one_of_ours(site: Path) -> None:
    install(site, "json", READER, package="evil")
    assert FORMATS[Format.JSON].suffix == "json"
    assert FORMATS.get(Format("acme.nothing")) is None
