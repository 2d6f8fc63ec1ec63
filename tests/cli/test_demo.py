"""`demo`, as somebody types it."""

import pytest

from tests.cli.conftest import typed


@pytest.mark.parametrize(("option", "serve"), [([], False), (["--serve"], True)])
def test_the_demo_is_played(
    monkeypatch: pytest.MonkeyPatch, option: list[str], serve: bool
) -> None:
    from gateway import demo

    monkeypatch.setattr(demo, "run", lambda told: 0 if told is serve else 1)
    assert typed("demo", *option).exit_code == 0
