"""What is printed can't steer a terminal, and speaks of one record or of two records."""

import pytest

from gateway.workbench.wording import counted, plain


@pytest.mark.parametrize(
    "text", ["a\nb", "\x1b[31mred", "a\x00b", "a\u202eb", "a\u200bb", "\x9b1m"]
)
def test_what_could_steer_a_terminal_is_replaced(text: str) -> None:
    assert plain(text).isprintable() and len(plain(text)) == len(text)


def test_other_texts_stay_as_they_are() -> None:
    assert plain("Søren → 42") == "Søren → 42"


@pytest.mark.parametrize(
    ("count", "said"),
    [(0, "0 records"), (1, "1 record"), (2, "2 records"), (1000, "1,000 records")],
)
def test_a_number_has_the_right_noun(count: int, said: str) -> None:
    assert counted(count, "record") == said
