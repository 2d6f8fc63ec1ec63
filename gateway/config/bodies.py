"""How bodies are to be read: whether the parts of a body's settings fit its format, and each other.

The formats themselves read their locators, patterns and dialects here, so that what passes is what
they will accept.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from gateway.config.faults import Finding
from gateway.config.keys import KeyPath
from gateway.inspection import jsonplan, xpath
from gateway.inspection.formats import FORMATS
from gateway.inspection.members import compile_pattern
from gateway.inspection.rows import Dialect
from gateway.model import Attribution, Format

_OPAQUE = frozenset({"category"})
"""The keys that mean something for a member that nobody reads."""


def check_body(body: Mapping[str, Any], path: KeyPath) -> Iterator[Finding]:
    """The findings about one endpoint's `body`."""
    form = _one_of(Format, body.get("format"))
    match form:
        case None:
            return
        case Format.OPAQUE:
            message = "only a member of an archive can be opaque: records have no owner otherwise"
            yield Finding((*path, "format"), message)
        case _:
            yield from _fitting(body, form, path)
            if "members" in FORMATS[form].settings:
                yield from _members(body.get("members"), (*path, "members"))
            yield from _records(body, form, path)


def check_streamed(body: Mapping[str, Any], path: KeyPath) -> Iterator[Finding]:
    """The findings about `release: stream` for one endpoint's `body`."""
    form = _one_of(Format, body.get("format"))
    reader = FORMATS.get(form) if form else None
    if reader is None:
        return
    if not reader.streams:
        can = ", ".join(each.value for each, reader in FORMATS.items() if reader.streams)
        message = f"{form.value} can't be released before its end; these can: {can}"
        yield Finding(path, message)
    elif form is Format.JSON and body.get("records", "$") == "$":
        message = "the whole document is one record: say where the records are, or hold it"
        yield Finding(path, message)
    elif body.get("totals"):
        message = "totals often stand before what they count: leave them out, or hold the body"
        yield Finding(path, message)


def _fitting(spec: Mapping[str, Any], form: Format, path: KeyPath) -> Iterator[Finding]:
    known = _OPAQUE.union(*(reader.settings for reader in FORMATS.values()))
    meant = FORMATS[form].settings if form in FORMATS else _OPAQUE
    for name in sorted(spec.keys() & known - meant):
        yield Finding((*path, name), f"has no meaning for {form.value}", on_key=True)


def _members(members: Any, path: KeyPath) -> Iterator[Finding]:
    if members is None or members == []:
        yield Finding(path, "say what is in the archive, or all of it is unattributed")
        return
    specs = [
        (index, spec)
        for index, spec in enumerate(members if isinstance(members, list) else ())
        if isinstance(spec, Mapping)
    ]
    vouched = any(spec.get("vouches_for") for _, spec in specs)
    patterns: dict[Any, int] = {}
    for index, spec in specs:
        where = (*path, index)
        pattern = spec.get("match")
        if isinstance(pattern, str) and patterns.setdefault(pattern, index) != index:
            message = f"members[{patterns[pattern]}] has this pattern; only the first match counts"
            yield Finding((*where, "match"), message)
        yield from _member(spec, where, vouched)


def _member(spec: Mapping[str, Any], path: KeyPath, vouched: bool) -> Iterator[Finding]:
    form = _one_of(Format, spec.get("format", Format.OPAQUE.value))
    attribution = _one_of(Attribution, spec.get("attribution", Attribution.DIRECT.value))
    names_owner = _names_owner(spec.get("match"))
    yield from _rejected(compile_pattern, _texts(spec.get("match"), (*path, "match")))
    match form:
        case None:
            return
        case Format.OPAQUE:
            yield from _fitting(spec, form, path)
        case _ if FORMATS[form].random_access:
            yield Finding((*path, "format"), "an archive inside an archive can't be read")
            return
        case _:
            yield from _fitting(spec, form, path)
            yield from _records(spec, form, path)
    if spec.get("vouches_for") and not spec.get("subject"):
        message = "a manifest needs a subject: it says whose the members are"
        yield Finding((*path, "vouches_for"), message, on_key=True)
    match attribution:
        case Attribution.MANIFEST if not vouched:
            message = "no member vouches for others: one needs vouches_for"
            yield Finding((*path, "attribution"), message)
        case Attribution.PATH if names_owner is False:
            message = "the pattern names no owner, as accounts/{account}/* does"
            yield Finding((*path, "attribution"), message)
        case Attribution.CONTAINER:
            yield Finding((*path, "attribution"), "an archive has no owner as a whole")
        case Attribution.DIRECT if names_owner and not spec.get("subject"):
            message = "the pattern names an owner: say attribution: path"
            yield Finding((*path, "match"), message)
        case _:
            pass


def _names_owner(pattern: Any) -> bool | None:
    """Whether a pattern names an owner; None where that can't be told."""
    try:
        return bool(compile_pattern(pattern).kinds) if isinstance(pattern, str) else None
    except ValueError:
        return None


def _records(spec: Mapping[str, Any], form: Format, path: KeyPath) -> Iterator[Finding]:
    """Findings about the locators, and about a CSV's dialect."""
    reader = FORMATS[form]
    named: list[tuple[KeyPath, str]] = []
    for key in sorted(reader.settings & {"records", "totals", "vouches_for"}):
        named += _texts(spec.get(key), (*path, key))
    named += _subjects(spec.get("subject"), (*path, "subject"))
    faults = [*_rejected(reader.locator, named)]
    yield from faults
    records, totals = spec.get("records", "$"), spec.get("totals", ())
    if "totals" in reader.settings and not faults and isinstance(records, str):
        texts = tuple(text for _, text in _texts(totals, ()))
        yield from _rejected(lambda _: jsonplan.plan(records, texts), [((*path, "totals"), "")])
    if form is Format.XML and not faults and isinstance(records, str):
        yield from _xpaths(spec, records, named, path)
    if "delimiter" in reader.settings:
        yield from _dialect(spec, path)


def _xpaths(
    spec: Mapping[str, Any], records: str, named: Iterable[tuple[KeyPath, str]], path: KeyPath
) -> Iterator[Finding]:
    """Whether prefixes are known, and locators climb no further than to the root."""
    given = spec.get("namespaces")
    namespaces = given if isinstance(given, Mapping) else {}
    try:
        steps = xpath.compile_records(records, namespaces)
    except ValueError as error:
        yield Finding((*path, "records"), str(error))
        return
    relative = [(where, text) for where, text in named if where != (*path, "records")]
    yield from _rejected(lambda text: xpath.compile(text, steps, namespaces), relative)


def _dialect(spec: Mapping[str, Any], path: KeyPath) -> Iterator[Finding]:
    given = {name: spec[name] for name in ("delimiter", "quote") if isinstance(spec.get(name), str)}
    try:
        Dialect(**given)
    except ValueError as error:
        name = next((name for name in given if str(error).startswith(f"{name} ")), "delimiter")
        yield Finding((*path, name if name in given else "quote"), str(error))


def _subjects(subject: Any, path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    """Every locator of a `subject`: one mapping, or a list of them."""
    owners = enumerate(subject) if isinstance(subject, list) else [(None, subject)]
    for index, owner in owners:
        where = path if index is None else (*path, index)
        for kind, found in owner.items() if isinstance(owner, Mapping) else ():
            yield from _texts(found, (*where, kind))


def _texts(value: Any, path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    """A text, or the texts of a list, with their paths."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _texts(each, (*path, index)) if isinstance(each, str) else ()


def _rejected(
    compiled: Callable[[str], object], named: Iterable[tuple[KeyPath, str]]
) -> Iterator[Finding]:
    for path, text in named:
        try:
            compiled(text)
        except ValueError as error:
            yield Finding(path, str(error))


def _one_of(choices: Any, value: Any) -> Any:
    """The member of an enumeration, or None."""
    try:
        return choices(value)
    except ValueError:
        return None
