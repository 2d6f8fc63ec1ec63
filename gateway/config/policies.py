"""What is wrong with the Rego of a configured policy: file, line, column, and the line itself.

Rego is parsed and tried in a process of its own that can be killed, never in this one.
"""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from gateway.config.faults import Finding, Place
from gateway.policy.bundle import Bundle, BundleError
from gateway.policy.embedded import compile_faults
from gateway.policy.engine import EngineKind
from gateway.policy.faults import RegoFault

_WIDEST = 160
_TAB = 4


def rego_findings(bundle: Bundle, kind: EngineKind, data: Path | None) -> Iterator[Finding]:
    """A finding for everything that keeps a bundle from running on an engine. `data` is the file
    that took the place of its deployment document."""
    try:
        # A loop of its own, in a thread of its own: the caller may be inside another one.
        with ThreadPoolExecutor(1) as pool:
            faults = pool.submit(asyncio.run, compile_faults(bundle, kind)).result()
    except BundleError as error:
        yield Finding(("policy", "bundle"), f"{error.path}: {error.message}")
        return
    for fault in faults:
        if not fault.path and data is not None:
            yield Finding(("policy", "data"), f"{data}: {fault.message}")
        elif not fault.line:
            where = bundle.file(fault.path) if fault.path else bundle.origin
            yield Finding(("policy", "bundle"), f"{where}: {fault.message}")
        else:
            yield Finding(("policy", "bundle"), fault.message, place=_place(bundle, fault))


def _place(bundle: Bundle, fault: RegoFault) -> Place:
    line = _line(bundle.modules.get(fault.path, ""), fault.line)
    shown, before = line.expandtabs(_TAB), line[: fault.column - 1].expandtabs(_TAB)
    excerpt = ""
    if shown.strip() and len(shown) <= _WIDEST and shown.isprintable():
        excerpt = f"    {shown}\n    {' ' * len(before)}^"
    return Place(bundle.file(fault.path), fault.line, fault.column, excerpt, beyond=True)


def _line(text: str, number: int) -> str:
    lines = text.split("\n")
    return lines[number - 1].rstrip("\r") if number <= len(lines) else ""
