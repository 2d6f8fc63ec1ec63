"""Documents in texts, as an endpoint declares them: whether each can be read where it stands."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gateway.config.faults import Finding
from gateway.config.keys import KeyPath
from gateway.config.specs import check_keys, check_locators, one_of, rejected, texts, unread
from gateway.inspection import locators
from gateway.inspection.formats import FORMATS
from gateway.inspection.settings import Limits
from gateway.inspection.writable import AUTO
from gateway.model import Format

_Way = tuple[str, ...]


def check_embedded(spec: Mapping[str, Any], path: KeyPath, limits: Any) -> Iterator[Finding]:
    """The findings about `embedded` of a body, or of a member of an archive; `limits` are those of
    its endpoint."""
    listed = spec.get("embedded")
    entries = [
        ((*path, "embedded", index), each, _way(each.get("at")))
        for index, each in enumerate(listed if isinstance(listed, list) else ())
        if isinstance(each, Mapping)
    ]
    if not entries:
        return
    for key in ("vouches_for", "owns_archive"):
        if spec.get(key):
            message = "what is embedded in a manifest isn't read: leave embedded out"
            yield Finding((*path, key), message, on_key=True)
    known = [(way, each) for _, each, way in entries]
    for index, (where, each, way) in enumerate(entries):
        yield from _place(each, way, where, known[:index], limits)
        yield from _document(each, way, where, known)


def _place(
    entry: Mapping[str, Any],
    way: _Way,
    path: KeyPath,
    before: Sequence[tuple[_Way, Mapping[str, Any]]],
    limits: Any,
) -> Iterator[Finding]:
    """Findings about where it stands."""
    faults = [*rejected(locators.compile, texts(entry.get("at"), (*path, "at")))]
    yield from faults
    if faults or not way:
        return
    steps = locators.compile(way[-1])
    if entry.get("when") and not (steps and isinstance(steps[-1], str)):
        message = f"nothing stands beside what {way[-1]} finds: it ends with no name"
        yield Finding((*path, "when"), message, on_key=True)
    if any(other == way and not each.get("when") for other, each in before):
        yield Finding((*path, "at"), "an entry above reads everything here: only the first counts")
    most = _depth(limits)
    if len(way) > most:
        message = f"{len(way)} documents deep, and limits.embedding_depth is {most}"
        yield Finding((*path, "at"), message)


def _document(
    entry: Mapping[str, Any],
    way: _Way,
    path: KeyPath,
    known: Sequence[tuple[_Way, Mapping[str, Any]]],
) -> Iterator[Finding]:
    """Findings about how it is read."""
    if len(way) > 1 and not any(
        other == way[:-1] and _holds_texts(each.get("format")) for other, each in known
    ):
        message = "nothing that has texts is declared on the way: it needs an entry for "
        yield Finding((*path, "at"), message + " > ".join(way[:-1]))
    form = one_of(Format, entry.get("format"))
    if form is None:
        return
    if form is not Format.OPAQUE and (fault := unread(form)):
        yield Finding((*path, "format"), fault)
        return
    if FORMATS[form].random_access:
        yield Finding((*path, "format"), "no format that is read in a text")
        return
    yield from check_keys(entry, form, path)
    if form is Format.OPAQUE:
        if entry.get("subject"):  # a body's metadata is read, a document's isn't
            yield Finding((*path, "subject"), "has no meaning for opaque", on_key=True)
        return
    yield from check_locators(entry, form, path)
    if entry.get("encoding") and not entry.get("transfer"):
        message = "a text has no encoding of its own: say transfer, or leave this out"
        yield Finding((*path, "encoding"), message, on_key=True)
    elif entry.get("encoding") == AUTO:
        yield Finding((*path, "encoding"), "nothing declares it here: name the encoding")
    if entry.get("compression") and not entry.get("transfer"):
        message = "what is compressed is no text: say transfer, too"
        yield Finding((*path, "compression"), message, on_key=True)
    deeper = any(other[:-1] == way for other, _ in known)
    if not entry.get("subject") and not deeper:
        yield Finding(path, "a document needs a subject, or its record has no owner")


def _way(at: Any) -> _Way:
    return tuple(text for _, text in texts(at, ()))


def _holds_texts(form: Any) -> bool:
    known = one_of(Format, form)
    reader = FORMATS.get(known) if known else None
    return reader is not None and "embedded" in reader.settings


def _depth(limits: Any) -> int:
    given = limits.get("embedding_depth") if isinstance(limits, Mapping) else None
    return given if type(given) is int else Limits().embedding_depth
