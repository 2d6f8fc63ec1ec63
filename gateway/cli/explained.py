"""An explanation at a terminal."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from gateway.workbench.account import Spot
    from gateway.workbench.explain import Explanation, Subject

_COLOURS = {"released": "green", "redacted": "yellow", "blocked": "red", "refused": "red"}


def show(explained: "Explanation") -> None:
    """Print it: what happens first, then whose records there are, then why."""
    console = Console(highlight=False, soft_wrap=True)
    _say_outcome(console, explained)
    if explained.fault:
        where = explained.fault
        console.print(Text(f"{where.source}:{where.line}:{where.column}: {where.said}"))
        if where.excerpt:
            console.print(Text(where.excerpt))
    if explained.subjects or explained.unattributed.records:
        console.print(_subjects(explained))
        listed = len(explained.subjects)
        if listed < explained.subjects_total:
            console.print(f"… and {explained.subjects_total - listed} more (--subjects)")
    for subject in explained.subjects:
        _say_why_not(console, subject)
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
    line.append(f"; {records.released} of {records.seen} records would leave")
    console.print(line)
    facts = Table.grid(padding=(0, 2))
    if explained.caller:
        names = [
            f"{each['kind']}:{shown(each['value'])}" for each in explained.caller["identifiers"]
        ]
        acting = explained.caller["actor"]
        by = f", through {shown(acting['id'])}" if acting else ""
        facts.add_row("caller", Text(", ".join(names) or "no identifier") + Text(by))
    if explained.revision is not None:
        facts.add_row("policy", Text(f"{explained.revision} ({explained.engine})"))
        facts.add_row("rules of", Text(explained.rules_of))
    places = explained.records
    if places.released_places:
        facts.add_row("leaving", Text(_places(places.released_places, places.released)))
    stay = places.redacted + places.blocked
    if places.withheld_places and stay:
        facts.add_row("staying", Text(_places(places.withheld_places, stay)))
    if explained.members:
        facts.add_row("members leaving", Text(_names(explained.members.released)))
        facts.add_row("members staying", Text(_names(explained.members.withheld)))
    console.print(facts)


def _places(places: Sequence[int], total: int) -> str:
    more = ", …" if total > len(places) else ""
    return f"record {', '.join(map(str, places))}{more} (from 0)"


def _names(names: Sequence[str]) -> str:
    few = [shown(name) for name in names[:20]]
    return ", ".join(few) + (f", … {len(names)} in all" if len(names) > 20 else "") or "none"


def _subjects(explained: "Explanation") -> Table:
    table = Table("subject", "records", "leave", "found by", "categories", "ground")
    for subject in explained.subjects:
        table.add_row(
            Text(_name(subject)),
            str(subject.records),
            str(subject.released),
            Text(", ".join(subject.attribution)),
            Text(", ".join(map(shown, subject.categories))),
            Text(", ".join(each.ground for each in subject.grounds) or "none", style="bold"),
        )
    nobody = explained.unattributed
    if nobody.records:
        categories = ", ".join(map(shown, nobody.categories))
        row = (str(nobody.records), str(nobody.released), "", Text(categories))
        table.add_row(Text("unattributed"), *row, Text("none"))
    return table


def _name(subject: "Subject") -> str:
    return f"{subject.kind}:{shown(subject.value)}"


def _say_why_not(console: Console, subject: "Subject") -> None:
    if not subject.why_not:
        return
    console.print(Text(f"{_name(subject)}: no ground permits it"))
    off = [each.ground for each in subject.why_not if not each.enabled]
    for each in subject.why_not:
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
    grid = Table.grid(padding=(0, 2))
    if explained.effect:
        grid.add_row("effect", Text(explained.effect), Text(_at(explained.effect_rule)))
    for reason in explained.reasons:
        grid.add_row("reason", Text(reason.name), Text(_at(reason.rule)))
    for ground in explained.grounds:
        if ground.permits:
            basis = f" ({ground.legal_basis})" if ground.legal_basis else ""
            said = Text(f"{ground.name} permits {ground.permits}{basis}")
            grid.add_row("ground", said, Text(_at(ground.rule)))
    for restriction in explained.restrictions:
        for rule in restriction.rules:
            value = bytes(rule.value).decode(errors="replace")[:200]
            said = Text(f"{restriction.name} {rule.name} {shown(value)}")
            grid.add_row("restriction", said, Text(_at(rule.rule)))
    if explained.mask:
        grid.add_row("masked", Text(", ".join(map(shown, explained.mask))), Text())
    if explained.withhold:
        grid.add_row("withheld", Text(", ".join(map(shown, explained.withhold))), Text())
    console.print(grid)
