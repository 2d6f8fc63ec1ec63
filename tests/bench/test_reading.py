"""What the measurement of reading says of small bodies."""

import pytest

from bench import reading


def test_every_kind_of_body_is_read_and_the_foreign_records_are_redacted(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_ROUNDS", 1)
    reading.main(200_000)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(reading._KINDS) and all("verify" in line for line in lines)
    assert [line for line in lines if "redact" in line] == [lines[1]]
