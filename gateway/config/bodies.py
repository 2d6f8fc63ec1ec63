"""How bodies are to be read: whether the parts of a body's settings fit its format, and each other.

The formats themselves read their locators, patterns and dialects here, so that what passes is what
they will accept.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from typing import Any

from gateway.config.faults import Finding
from gateway.config.keys import KeyPath
from gateway.inspection import jsonplan, xpath
from gateway.inspection.formats import FORMATS, csv
from gateway.inspection.formats.outside import GROUP, OutsideFormatError
from gateway.inspection.jsonlineage import climb
from gateway.inspection.members import compile_pattern
from gateway.inspection.rows import Dialect
from gateway.inspection.settings import AUTO, NONE
from gateway.model import Attribution, Format


def check_body(body: Mapping[str, Any], path: KeyPath) -> Iterator[Finding]:
    """The findings about one endpoint's `body`."""
    form = _one_of(Format, body.get("format"))
    match form:
        case None:
            return
        case Format.OPAQUE if not body.get("subject_header"):
            message = "an opaque body needs subject_header: nothing else says whose it is"
            yield Finding((*path, "format"), message)
        case Format.OPAQUE:
            yield from _fitting(body, form, path)
        case _ if fault := _unread(form):
            yield Finding((*path, "format"), fault)
        case _:
            yield from _fitting(body, form, path)
            if form in _MAIL:
                yield from _attachments(body.get("members"), (*path, "members"))
            elif "members" in FORMATS[form].settings:
                yield from _members(
                    body.get("members"),
                    (*path, "members"),
                    depth=1,
                    held=bool(body.get("subject_header")),
                )
            yield from _records(body, form, path)


def _unread(form: Format) -> str:
    """Why nothing here reads a format, or an empty text."""
    try:
        reader = FORMATS.get(form)
    except OutsideFormatError as error:
        return str(error)
    if reader and reader.library and not find_spec(reader.library):
        return f"needs {reader.library}: pip install 'privacy-gateway[{form.value}]'"
    return "" if reader else f"no installed package brings it (entry points {GROUP!r})"


def _fitting(spec: Mapping[str, Any], form: Format, path: KeyPath) -> Iterator[Finding]:
    known = frozenset().union(*(reader.settings for reader in FORMATS.values()))
    reader = FORMATS.get(form)
    meant = reader.settings if reader else frozenset()
    for name in sorted(spec.keys() & known - meant):
        yield Finding((*path, name), f"has no meaning for {form.value}", on_key=True)


_MAIL = (Format.MBOX, Format.EML)


def _attachments(members: Any, path: KeyPath) -> Iterator[Finding]:
    """Findings about the parts of a message that are to be read, by their media types."""
    for index, spec in enumerate(members if isinstance(members, list) else ()):
        where = (*path, index)
        if not isinstance(spec, Mapping):
            continue
        form = _one_of(Format, spec.get("format", Format.OPAQUE.value))
        yield from _rejected(compile_pattern, _texts(spec.get("match"), (*where, "match")))
        if form is None:
            continue
        if form is Format.OPAQUE or _unread(form) or FORMATS[form].random_access:
            yield Finding((*where, "format"), "no format that is read in a message")
            continue
        yield from _fitting(spec, form, where)
        yield from _records(spec, form, where)
        if not spec.get("subject"):
            yield Finding(where, "an attachment needs a subject, or the message has no owner")
        for name in sorted(spec.keys() & {"vouches_for", "attribution", "category", "compression"}):
            yield Finding((*where, name), "has no meaning for an attachment", on_key=True)
        if form in _MAIL:
            yield from _attachments(spec.get("members"), (*where, "members"))


_DEPTH = 2
"""How deep archives are read: one, and those inside it."""


def _members(members: Any, path: KeyPath, *, depth: int, held: bool) -> Iterator[Finding]:
    """Findings about what is in an archive; `held` where it has owners as a whole."""
    if members is None or members == []:
        yield Finding(path, "say what is in the archive, or all of it is unattributed")
        return
    specs = [
        (index, spec)
        for index, spec in enumerate(members if isinstance(members, list) else ())
        if isinstance(spec, Mapping)
    ]
    vouched = any(spec.get("vouches_for") for _, spec in specs)
    holders = [index for index, spec in specs if spec.get("owns_archive")]
    held = held or bool(holders)
    for index in holders[1:]:
        message = f"members[{holders[0]}] says already whose the archive is"
        yield Finding((*path, index, "owns_archive"), message, on_key=True)
    patterns: dict[Any, int] = {}
    for index, spec in specs:
        where = (*path, index)
        pattern = spec.get("match")
        if isinstance(pattern, str) and patterns.setdefault(pattern, index) != index:
            message = f"members[{patterns[pattern]}] has this pattern; only the first match counts"
            yield Finding((*where, "match"), message)
        yield from _member(spec, where, vouched, depth, held)


def _member(
    spec: Mapping[str, Any], path: KeyPath, vouched: bool, depth: int, held: bool
) -> Iterator[Finding]:
    form = _one_of(Format, spec.get("format", Format.OPAQUE.value))
    attribution = _one_of(Attribution, spec.get("attribution", Attribution.DIRECT.value))
    names_owner = _names_owner(spec.get("match"))
    yield from _rejected(compile_pattern, _texts(spec.get("match"), (*path, "match")))
    match form:
        case None:
            return
        case Format.OPAQUE:
            yield from _fitting(spec, form, path)
        case Format.MULTIPART:
            message = "only a response says which boundary its parts have"
            yield Finding((*path, "format"), message)
            return
        case _ if fault := _unread(form):
            yield Finding((*path, "format"), fault)
            return
        case Format.PARQUET:
            yield Finding((*path, "format"), "is read as a whole response only, not in an archive")
            return
        case _ if FORMATS[form].random_access and depth >= _DEPTH:
            yield Finding(
                (*path, "format"), "archives are read two deep, and this would be a third"
            )
            return
        case _ if FORMATS[form].random_access:
            yield from _fitting(spec, form, path)
            yield from _members(spec.get("members"), (*path, "members"), depth=depth + 1, held=True)
            return
        case _:
            yield from _fitting(spec, form, path)
            yield from _records(spec, form, path)
            if form in _MAIL:
                yield from _attachments(spec.get("members"), (*path, "members"))
    if spec.get("vouches_for") and not spec.get("subject"):
        message = "a manifest needs a subject: it says whose the members are"
        yield Finding((*path, "vouches_for"), message, on_key=True)
    for key in ("sizes", "hashes"):
        if spec.get(key) and not spec.get("vouches_for"):
            yield Finding((*path, key), "is for a manifest: say vouches_for", on_key=True)
    if spec.get("owns_archive") and not spec.get("subject"):
        message = "needs a subject: it says whose the archive is"
        yield Finding((*path, "owns_archive"), message, on_key=True)
    match attribution:
        case Attribution.MANIFEST if not vouched:
            message = "no member vouches for others: one needs vouches_for"
            yield Finding((*path, "attribution"), message)
        case Attribution.PATH if names_owner is False:
            message = "the pattern names no owner, as accounts/{account}/* does"
            yield Finding((*path, "attribution"), message)
        case Attribution.CONTAINER if not held:
            message = "the archive has no owner as a whole: say owns_archive or subject_header"
            yield Finding((*path, "attribution"), message)
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
    for key in sorted(reader.settings & {"records", "totals", "vouches_for", "sizes"}):
        named += _texts(spec.get(key), (*path, key))
    hashes = spec.get("hashes")
    for algorithm, locator in hashes.items() if isinstance(hashes, Mapping) else ():
        named += _texts(locator, (*path, "hashes", algorithm))
    named += _subjects(spec.get("subject"), (*path, "subject"))
    for index, each in enumerate(_mappings(spec, "also") if "also" in reader.settings else ()):
        where = (*path, "also", index)
        named += _texts(each.get("records"), (*where, "records"))
        named += _subjects(each.get("subject"), (*where, "subject"))
    faults = [*_rejected(reader.locator, named)]
    yield from faults
    records = spec.get("records", "$")
    if "totals" in reader.settings and not faults and isinstance(records, str):
        yield from _ways(spec, records, path)
    if form is Format.XML and not faults and isinstance(records, str):
        yield from _xpaths(spec, records, named, path)
    if spec.get("encoding") == AUTO and ("match" in spec or reader.as_declared is None):
        yield Finding((*path, "encoding"), "nothing declares it here: name the encoding")
    if "delimiter" in reader.settings:
        yield from _dialect(spec, path)
        if not faults:
            yield from _table(spec, named, path)


def _ways(spec: Mapping[str, Any], records: str, path: KeyPath) -> Iterator[Finding]:
    """Whether records, totals and what names owners are not in each other's way."""
    also = [((*path, "also", index), each) for index, each in enumerate(_mappings(spec, "also"))]
    sets = [(path, spec, records)]
    sets += [(where, each, each["records"]) for where, each in also if _has_text(each, "records")]
    ways: list[jsonplan.Way] = [(text, ()) for _, _, text in sets]
    for number, (where, _, _) in enumerate(sets, 1):
        try:
            _planned(ways[:number])
        except ValueError as error:
            yield Finding((*where, "records"), str(error))
            return
    totals = tuple(text for _, text in _texts(spec.get("totals"), ()))
    faults = [*_rejected(lambda _: _planned(ways, totals), [((*path, "totals"), "")])]
    yield from faults
    for number, (where, each, _) in enumerate(sets if not faults else ()):

        def climbing(text: str, number: int = number) -> object:
            climbs = tuple(filter(None, [climb(text)]))
            changed = [*ways[:number], (ways[number][0], climbs), *ways[number + 1 :]]
            return _planned(changed, totals)

        named = [*_subjects(each.get("subject"), (*where, "subject"))]
        named += _texts(each.get("vouches_for"), (*where, "vouches_for"))
        yield from _rejected(climbing, named)


def _planned(ways: Sequence[jsonplan.Way], totals: tuple[str, ...] = ()) -> object:
    (records, climbs), *also = ways
    return jsonplan.plan(records, totals, climbs, tuple(also))


def _mappings(spec: Mapping[str, Any], key: str) -> Iterator[Mapping[str, Any]]:
    listed = spec.get(key)
    for each in listed if isinstance(listed, list) else ():
        yield each if isinstance(each, Mapping) else {}


def _has_text(spec: Mapping[str, Any], key: str) -> bool:
    return isinstance(spec.get(key), str)


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
    given = {
        name: spec[name]
        for name, proven in (("delimiter", AUTO), ("quote", NONE))
        if isinstance(spec.get(name), str) and spec[name] != proven
    }
    try:
        Dialect(**given)
    except ValueError as error:
        name = next((name for name in given if str(error).startswith(f"{name} ")), "delimiter")
        yield Finding((*path, name if name in given else "quote"), str(error))


def _table(
    spec: Mapping[str, Any], named: Iterable[tuple[KeyPath, str]], path: KeyPath
) -> Iterator[Finding]:
    """Whether a CSV has what its proofs and its locators rest on."""
    before = [where for where, text in named if csv.is_in_preamble(text)]
    for where in before:
        if where[-1] == "vouches_for":
            yield Finding(where, "a member is named in a column")
        elif not spec.get("preamble"):
            yield Finding(where, "there are no rows before the header: say how many with preamble")
    if spec.get("delimiter") == AUTO and len(before) == len([*named]):
        message = "auto is proven by the columns of the subject: name one"
        yield Finding((*path, "delimiter"), message)


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
