"""Places that a setting names: a file or folder, or a URL.

A text with `://` in it is a URL, anything else a path. Plain http is for loopback, unless the
configuration vouches for the network.
"""

from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from gateway.constraints import After, Before, Shown

MAX_LENGTH = 1024


def is_url(location: str) -> bool:
    """Whether it is a URL; anything else is a path."""
    return "://" in location


def shown(url: str) -> str:
    """A URL for people: without its query, which may be a secret."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}{parts.path}"


def check_url(url: str, name: str, *, allow_http: bool, insecure: str) -> None:
    """Raises ValueError, with a message about the key `name`.

    `insecure` says what plain http would cost, and what to do about it.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("https", "http") or not parts.hostname or parts.port == 0:
        raise ValueError(f"{name} is an https:// URL, an http:// URL or a file")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise ValueError(f"the URL of {name} has no credentials and no fragment")
    if parts.scheme == "http" and not _is_loopback(parts.hostname) and not allow_http:
        raise ValueError(f"{name} over plain http {insecure}")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _parse(location: Any) -> Any:
    if not isinstance(location, str):
        return location
    if not 0 < len(location) <= MAX_LENGTH or not location.isprintable():
        raise ValueError(f"expected a path or a URL, of at most {MAX_LENGTH} printable characters")
    return location if is_url(location) else Path(location)


def _names_a_file(path: Path) -> Path:
    if not path.name or "\0" in str(path):
        raise ValueError("expected the path of a file")
    return path


FilePath = Annotated[Path, After(_names_a_file)]


Location = Annotated[
    Path | str,
    Before(_parse),
    Shown({"type": "string", "minLength": 1, "maxLength": MAX_LENGTH}),
]
"""A Path, or a str that is a URL."""
