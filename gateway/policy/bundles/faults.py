"""Why a bundle can't be used: which file, and the cause, in one line without its data."""

from pathlib import Path


class BundleError(Exception):
    """A bundle, or where it comes from, can't be used."""

    def __init__(self, path: Path | str, message: str) -> None:
        super().__init__(f"{path}: {message}")
        self.path, self.message = str(path), message
