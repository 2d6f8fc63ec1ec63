"""Options of several commands, and what their texts mean."""

from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated

import typer

from gateway.workbench.unusable import Unusable

EndpointOption = Annotated[
    str, typer.Option("--endpoint", "-e", metavar="NAME", help="Where the body was asked for.")
]
ClaimsOption = Annotated[
    str,
    typer.Option(
        "--claims",
        metavar="FILE|JSON",
        help='Who asks: the claims of a token, as in `{"sub": "A1"}`. `iss`, `aud`, `iat` and'
        " `exp` may be left out. The signature is the only thing that isn't checked.",
    ),
]
BundleOption = Annotated[
    Path | None,
    typer.Option("--bundle", metavar="BUNDLE", help="Another policy than the configured one."),
]
ParamOption = Annotated[
    list[str] | None,
    typer.Option("--param", metavar="NAME=VALUE", help="A path parameter; left out, it is `-`."),
]
AtOption = Annotated[
    str | None,
    typer.Option(
        "--at", metavar="TIME", help="When: RFC 3339, as 2026-06-01T12:00:00Z. Left out: now."
    ),
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print JSON with stable keys, for other tools.")
]


def pairs(given: Sequence[str] | None, option: str) -> dict[str, tuple[str, ...]]:
    """`["a=1", "a=2"]` → `{"a": ("1", "2")}`. Raises Unusable."""
    found: dict[str, tuple[str, ...]] = {}
    for each in given or ():
        name, equals, value = each.partition("=")
        if not equals or not name:
            raise Unusable(f"{option} {each!r}: expected NAME=VALUE")
        if option == "--param" and name in found:
            raise Unusable(f"--param {name}: given twice")
        found[name] = (*found.get(name, ()), value)
    return found


def moment(text: str | None, option: str = "--at", zone: timezone | None = None) -> datetime | None:
    """A time with its zone; with `zone`, one without it, or a date, is there. Raises Unusable."""
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is not None and found.tzinfo is None and zone is not None:
        found = found.replace(tzinfo=zone)
    if found is None or found.tzinfo is None:
        said = "a date or time" if zone else "a time with its zone"
        raise Unusable(f"{option} {text!r}: expected {said}, as 2026-06-01T12:00:00Z")
    return found
