"""What a tool can't work with."""

from gateway.config.faults import Place
from gateway.workbench.wording import plain


class Unusable(Exception):
    """An input can't be used: what and where in one line, and the line itself with a caret.

    Nothing is hidden in it: the input is the engineer's own, and the text is for their terminal.
    """

    def __init__(self, message: str, place: Place | None = None) -> None:
        super().__init__(f"{place}: {message}" if place else message)
        self.message, self.place = message, place

    @property
    def excerpt(self) -> str:
        """The offending line with a caret below, or nothing."""
        return self.place.excerpt if self.place else ""


def pointed(source: str, text: str, line: int, column: int) -> Place:
    """The place of a fault in a text that was read from `source`; line and column from 1."""
    lines = text.splitlines()
    shown = plain(lines[line - 1]) if 0 < line <= len(lines) else ""
    # A window of a long line: minified JSON is one.
    begin = max(0, column - 1 - _BEFORE)
    window = shown[begin : begin + _WIDTH]
    caret = f"    {window}\n    {' ' * (column - 1 - begin)}^" if window else ""
    return Place(source, line, column, caret)


_WIDTH, _BEFORE = 100, 60
