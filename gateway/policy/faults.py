"""What is wrong with the Rego of a bundle, and where."""

import msgspec


class RegoFault(msgspec.Struct, frozen=True):
    """Why a bundle can't be used, in one line without its data.

    `path` is inside the bundle, empty where it is the deployment's data; `line` and `column` count
    from 1, and are 0 where the fault is about the whole file.
    """

    path: str
    message: str
    line: int = 0
    column: int = 0

    @property
    def place(self) -> str:
        """`privacy/p.rego:3:13`, or as much of it as there is."""
        return ":".join([self.path, *(str(mark) for mark in (self.line, self.column) if mark)])
