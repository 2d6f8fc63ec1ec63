"""One specification of how something is read: whether its parts fit its format, and each other.

The formats themselves read their locators, patterns and dialects here, so that what passes is what
they will accept.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from typing import Any

from gateway.config.faults import Finding
from gateway.config.keys import KeyPath
from gateway.inspection import jsonplan, metadata, xpath
from gateway.inspection.formats import FORMATS, csv
from gateway.inspection.formats.outside import GROUP, OutsideFormatError
from gateway.inspection.jsonlineage import climb
from gateway.inspection.rows import Dialect
from gateway.inspection.writable import AUTO, NONE
from gateway.model import Format


def unread(form: Format) -> str:
    """Why nothing here reads a format, or an empty text."""
    try:
        reader = FORMATS.get(form)
    except OutsideFormatError as error:
        return str(error)
    if reader and reader.library and not find_spec(reader.library):
        return f"needs {reader.library}: pip install 'privacy-gateway[{form.value}]'"
    return "" if reader else f"no installed package brings it (entry points {GROUP!r})"


def check_keys(spec: Mapping[str, Any], form: Format, path: KeyPath) -> Iterator[Finding]:
    """Findings about keys that mean nothing for a format."""
    known = frozenset().union(*(reader.settings for reader in FORMATS.values()))
    reader = FORMATS.get(form)
    meant = reader.settings if reader else frozenset()
    for name in sorted(spec.keys() & known - meant):
        yield Finding((*path, name), f"has no meaning for {form.value}", on_key=True)


def check_locators(spec: Mapping[str, Any], form: Format, path: KeyPath) -> Iterator[Finding]:
    """Findings about the locators, and about a CSV's dialect."""
    reader = FORMATS[form]
    named: list[tuple[KeyPath, str]] = []
    for key in sorted(reader.settings & {"records", "totals", "vouches_for", "sizes"}):
        named += texts(spec.get(key), (*path, key))
    hashes = spec.get("hashes")
    for algorithm, locator in hashes.items() if isinstance(hashes, Mapping) else ():
        named += texts(locator, (*path, "hashes", algorithm))
    named += subjects(spec.get("subject"), (*path, "subject"))
    for index, each in enumerate(_mappings(spec, "also") if "also" in reader.settings else ()):
        where = (*path, "also", index)
        named += texts(each.get("records"), (*where, "records"))
        named += subjects(each.get("subject"), (*where, "subject"))
    faults = [*rejected(reader.locator, named)]
    yield from faults
    if form is Format.OPAQUE and not find_spec(metadata.LIBRARY):
        for where, text in named if not faults else ():
            if metadata.needs_library(text):
                message = f"needs {metadata.LIBRARY}: pip install 'privacy-gateway[metadata]'"
                yield Finding(where, message)
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
    totals = tuple(text for _, text in texts(spec.get("totals"), ()))
    faults = [*rejected(lambda _: _planned(ways, totals), [((*path, "totals"), "")])]
    yield from faults
    for number, (where, each, _) in enumerate(sets if not faults else ()):

        def climbing(text: str, number: int = number) -> object:
            climbs = tuple(filter(None, [climb(text)]))
            changed = [*ways[:number], (ways[number][0], climbs), *ways[number + 1 :]]
            return _planned(changed, totals)

        named = [*subjects(each.get("subject"), (*where, "subject"))]
        named += texts(each.get("vouches_for"), (*where, "vouches_for"))
        faults += rejected(climbing, named)
        yield from rejected(climbing, named)
        climbs = tuple(filter(None, (climb(text) for _, text in named)))
        ways[number] = (ways[number][0], climbs) if not faults else ways[number]
    if not faults:
        named = [*texts(spec.get("removed_notice"), (*path, "removed_notice"))]
        yield from rejected(lambda name: jsonplan.noticed(_planned(ways, totals), name), named)


def _planned(ways: Sequence[jsonplan.Way], totals: tuple[str, ...] = ()) -> jsonplan.Plan:
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
    yield from rejected(lambda text: xpath.compile(text, steps, namespaces), relative)


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


def subjects(subject: Any, path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    """Every locator of a `subject`: one mapping, or a list of them."""
    owners = enumerate(subject) if isinstance(subject, list) else [(None, subject)]
    for index, owner in owners:
        where = path if index is None else (*path, index)
        for kind, found in owner.items() if isinstance(owner, Mapping) else ():
            yield from texts(found, (*where, kind))


def texts(value: Any, path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    """A text, or the texts of a list, with their paths."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from texts(each, (*path, index)) if isinstance(each, str) else ()


def rejected(
    compiled: Callable[[str], object], named: Iterable[tuple[KeyPath, str]]
) -> Iterator[Finding]:
    for path, text in named:
        try:
            compiled(text)
        except ValueError as error:
            yield Finding(path, str(error))


def one_of(choices: Any, value: Any) -> Any:
    """The member of an enumeration, or None."""
    try:
        return choices(value)
    except ValueError:
        return None
