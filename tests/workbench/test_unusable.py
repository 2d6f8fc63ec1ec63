"""An unusable input is one line, and the offending line with a caret."""

from gateway.workbench.unusable import Unusable, pointed


def test_the_message_names_the_place_and_the_excerpt_points_at_it() -> None:
    error = Unusable("a fault", pointed("claims.json", '{\n  "a": 1,\n}', 2, 9))
    assert str(error) == "claims.json:2:9: a fault"
    line, caret = error.excerpt.split("\n")
    assert line[caret.index("^")] == ","


def test_without_a_place_there_is_only_the_message() -> None:
    assert str(Unusable("a fault")) == "a fault"
    assert Unusable("a fault").excerpt == ""


def test_of_a_long_line_a_window_is_shown_around_the_caret() -> None:
    place = pointed("body", "x" * 5_000 + "!" + "y" * 5_000, 1, 5_001)
    line, caret = place.excerpt.split("\n")
    assert len(line) < 200
    assert line[caret.index("^")] == "!"


def test_what_a_terminal_would_obey_is_not_shown() -> None:
    assert "\x1b" not in pointed("body", "\x1b[2J{", 1, 1).excerpt


def test_a_line_beyond_the_text_has_no_excerpt() -> None:
    assert pointed("body", "one\n", 7, 1).excerpt == ""
