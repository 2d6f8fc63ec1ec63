"""An explanation at a terminal."""

import json
from collections.abc import Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from gateway.workbench.wording import counted, plain

if TYPE_CHECKING:
    from gateway.workbench.account import Spot
    from gateway.workbench.explanation import Explanation, Subject

_COLOURS = {"released": "green", "redacted": "yellow", "blocked": "red", "refused": "red"}


def show(explained: "Explanation") -> None:
    """Print it: what happens first, then whose records there are, then why."""
    console = Console(highlight=False, soft_wrap=True)
    _say_outcome(console, explained)
    if explained.fault:
        where = explained.fault
        console.print(Text(plain(f"{where.source}:{where.line}:{where.column}: {where.said}")))
        if where.excerpt:
            console.print(Text(where.excerpt))
    if explained.subjects or explained.unattributed.records:
        console.print(_subjects(explained))
        listed = len(explained.subjects)
        if listed < explained.subjects_total:
            console.print(f"… and {explained.subjects_total - listed:,} more (--subjects)")
    for alike in _alike(explained.subjects):
        _say_why_not(console, alike)
    _say_rules(console, explained)
    if explained.doubt:
        console.print(Text(f"not accounted for: {explained.doubt}", style="yellow"))


def shown(value: str | int) -> str:
    """A value of a body, harmless to a terminal; a number is marked, as it is another subject."""
    if isinstance(value, int):
        return f"{value} (a number)"
    return value if value.isprintable() else ascii(value)


def _say_outcome(console: Console, explained: "Explanation") -> None:
    line = Text(f"{explained.endpoint}: ")
    line.append(explained.outcome, style=f"bold {_COLOURS[explained.outcome]}")
    if explained.code:
        note = f": {explained.note}" if explained.note else ""
        line.append(f" with {explained.status} {explained.code}{note}")
    records = explained.records
    leaving = f"{records.released:,} of {counted(records.seen, 'record')}"
    line.append(f"; {leaving if records.seen else 'no record'} would leave")
    console.print(line)
    rows: list[tuple[str, ...]] = []
    if explained.caller:
        names = [
            f"{each['kind']}:{shown(each['value'])}" for each in explained.caller["identifiers"]
        ]
        acting = explained.caller["actor"]
        by = f", through {shown(acting['id'])}" if acting else ""
        rows.append(("caller", (", ".join(names) or "no identifier") + by))
    if explained.revision is not None:
        rows.append(("policy", f"{explained.revision} ({explained.engine})"))
        rows.append(("rules of", explained.rules_of))
    places = explained.records
    if places.released_places:
        rows.append(("leaving", _places(places.released_places, places.released)))
    stay = places.redacted + places.blocked
    if places.withheld_places and stay:
        rows.append(("staying", _places(places.withheld_places, stay)))
    if explained.members:
        rows.append(("members leaving", _names(explained.members.released)))
        rows.append(("members staying", _names(explained.members.withheld)))
    _say_rows(console, rows)


def _places(places: Sequence[int], total: int) -> str:
    more = ", …" if total > len(places) else ""
    noun = "record" if total == 1 else "records"
    return f"{noun} {', '.join(map(str, places))}{more} (from 0)"


def _names(names: Sequence[str]) -> str:
    few = [shown(name) for name in names[:20]]
    return ", ".join(few) + (f", … {len(names)} in all" if len(names) > 20 else "") or "none"


def _subjects(explained: "Explanation") -> Table:
    table = Table("subject", "records", "leave", "found by", "categories", "ground")
    table.columns[0].overflow = table.columns[4].overflow = "fold"
    for subject in explained.subjects:
        table.add_row(
            Text(_name(subject)),
            f"{subject.records:,}",
            f"{subject.released:,}",
            Text(", ".join(subject.attribution)),
            Text(", ".join(map(shown, subject.categories))),
            Text(", ".join(each.ground for each in subject.grounds) or "none", style="bold"),
        )
    nobody = explained.unattributed
    if nobody.records:
        categories = ", ".join(map(shown, nobody.categories))
        row = (f"{nobody.records:,}", f"{nobody.released:,}", "", Text(categories))
        table.add_row(Text("unattributed"), *row, Text("none"))
    return table


def _name(subject: "Subject") -> str:
    return f"{subject.kind}:{shown(subject.value)}"


def _alike(subjects: "Sequence[Subject]") -> "list[list[Subject]]":
    """Those that no ground permits, put together where it is for the same reasons."""
    groups: dict[bytes, list[Subject]] = {}
    for subject in subjects:
        if subject.why_not:
            groups.setdefault(msgspec.json.encode(subject.why_not), []).append(subject)
    return list(groups.values())


def _say_why_not(console: Console, alike: "Sequence[Subject]") -> None:
    names = ", ".join(map(_name, alike))
    console.print(Text(f"{names}: no ground permits {'it' if len(alike) == 1 else 'them'}"))
    why_not = alike[0].why_not
    off = [each.ground for each in why_not if not each.enabled]
    for each in why_not:
        if each.enabled and each.rule:
            console.print(Text(f"  {each.ground} stops at {_at(each.rule)}"))
            console.print(Text(f"      {each.rule.text}", style="dim"))
        elif each.enabled:
            console.print(Text(f"  {each.ground} would permit it alone, but not with the others"))
    if off:
        console.print(Text(f"  not enabled: {', '.join(off)}"))


def _at(rule: "Spot | None") -> str:
    return f"{rule.file}:{rule.line}" if rule else "no rule of its name"


def _say_rules(console: Console, explained: "Explanation") -> None:
    rows: list[tuple[str, ...]] = []
    if explained.effect:
        rows.append(("effect", explained.effect, _at(explained.effect_rule)))
    rows += [("reason", reason.name, _at(reason.rule)) for reason in explained.reasons]
    for ground in explained.grounds:
        if ground.permits:
            basis = f" ({ground.legal_basis})" if ground.legal_basis else ""
            said = f"{ground.name} permits {ground.permits}{basis}"
            rows.append(("ground", said, _at(ground.rule)))
    for restriction in explained.restrictions:
        if restriction.usable is False:
            rows.append(("restriction", f"{restriction.name} lacks its data, and blocks"))
        for rule in restriction.rules:
            value = json.dumps(json.loads(bytes(rule.value)))[:200]
            said = f"{restriction.name} {rule.name} {shown(value)}"
            rows.append(("restriction", said, _at(rule.rule)))
    if explained.mask:
        rows.append(("masked", ", ".join(map(shown, explained.mask))))
    if explained.withhold:
        rows.append(("withheld", ", ".join(map(shown, explained.withhold))))
    _say_rows(console, rows)


def _say_rows(console: Console, rows: Sequence[tuple[str, ...]]) -> None:
    """Columns as wide as they need; the last one is never cut, so that it can be copied."""
    widths = [max(map(len, column)) for column in zip_longest(*rows, fillvalue="")]
    for row in rows:
        *cells, last = row
        padded = [f"{cell:{width}}  " for cell, width in zip(cells, widths, strict=False)]
        console.print(Text("".join(padded) + last))
