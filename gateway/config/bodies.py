"""How bodies are to be read: what an endpoint's settings say of its body and of what is in it.

Each specification by itself is for `specs`; here they are one body: its members, its attachments,
and whether it can be released before its end.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from gateway.config.embedding import check_embedded
from gateway.config.faults import Finding
from gateway.config.keys import KeyPath
from gateway.config.specs import (
    check_keys,
    check_locators,
    one_of,
    rejected,
    subjects,
    texts,
    unread,
)
from gateway.inspection import locators
from gateway.inspection.formats import FORMATS
from gateway.inspection.members import compile_pattern
from gateway.inspection.multipartheaders import READ
from gateway.model import Attribution, Format


def check_body(body: Mapping[str, Any], path: KeyPath, limits: Any = None) -> Iterator[Finding]:
    """The findings about one endpoint's `body`, which has these `limits`."""
    form = one_of(Format, body.get("format"))
    match form:
        case None:
            return
        case Format.OPAQUE if not (body.get("subject_header") or body.get("subject")):
            message = "an opaque body needs subject_header, or a subject in its metadata"
            yield Finding((*path, "format"), message)
        case _ if fault := unread(form):
            yield Finding((*path, "format"), fault)
        case _:
            yield from check_keys(body, form, path)
            if form in _MAIL:
                yield from _attachments(body.get("members"), (*path, "members"))
            elif "members" in FORMATS[form].settings:
                yield from _members(
                    body.get("members"),
                    (*path, "members"),
                    depth=1,
                    held=bool(body.get("subject_header")),
                    parts=form is Format.MULTIPART,
                    limits=limits,
                )
            yield from check_locators(body, form, path)
            if "embedded" in FORMATS[form].settings:
                yield from check_embedded(body, path, limits)


def check_streamed(body: Mapping[str, Any], path: KeyPath) -> Iterator[Finding]:
    """The findings about `release: stream` for one endpoint's `body`."""
    form = one_of(Format, body.get("format"))
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
    elif body.get("compression"):
        message = "what is compressed leaves compressed: leave it out, or hold the body"
        yield Finding(path, message)
    elif body.get("also"):
        message = "several sets of records are read at rest: leave also out, or hold the body"
        yield Finding(path, message)
    elif body.get("preamble"):
        message = "a preamble is read at rest: hold the body"
        yield Finding(path, message)
    elif form is Format.FHIR and not body.get("lines"):
        message = "a Bundle's references may lead to its end: say lines, or hold the body"
        yield Finding(path, message)
    elif form is Format.MULTIPART:
        yield from _parts_streamed(body.get("members"), path)
    elif form is Format.JSON and any(
        locators.climbs(text) for _, text in subjects(body.get("subject"), path)
    ):
        message = "owners above the records are read at rest: hold the body"
        yield Finding(path, message)


def _parts_streamed(members: Any, path: KeyPath) -> Iterator[Finding]:
    """Findings about parts that need the others, or a place to be laid out in."""
    given = members if isinstance(members, list) else []
    specs = [spec for spec in given if isinstance(spec, Mapping)]
    forms = [one_of(Format, spec.get("format", Format.OPAQUE.value)) for spec in specs]
    if any(spec.get("vouches_for") or spec.get("owns_archive") for spec in specs):
        message = "a manifest may stand behind the parts that it speaks of: hold the body"
        yield Finding(path, message)
    elif any(form and not unread(form) and FORMATS[form].random_access for form in forms):
        yield Finding(path, "an archive among the parts is read at rest: hold the body")


_MAIL = (Format.MBOX, Format.EML)


def _attachments(members: Any, path: KeyPath) -> Iterator[Finding]:
    """Findings about the parts of a message that are to be read, by their media types."""
    for index, spec in enumerate(members if isinstance(members, list) else ()):
        where = (*path, index)
        if not isinstance(spec, Mapping):
            continue
        form = one_of(Format, spec.get("format", Format.OPAQUE.value))
        yield from rejected(compile_pattern, texts(spec.get("match"), (*where, "match")))
        if form is None:
            continue
        if form is Format.OPAQUE or unread(form) or FORMATS[form].random_access:
            yield Finding((*where, "format"), "no format that is read in a message")
            continue
        yield from check_keys(spec, form, where)
        yield from check_locators(spec, form, where)
        if not spec.get("subject"):
            yield Finding(where, "an attachment needs a subject, or the message has no owner")
        for name in sorted(spec.keys() & _NOT_ATTACHED):
            yield Finding((*where, name), "has no meaning for an attachment", on_key=True)
        if form in _MAIL:
            yield from _attachments(spec.get("members"), (*where, "members"))


_PARTS = frozenset({"subject_header", "media_type"})
"""Keys of what has a header of its own: the parts of a multipart body."""

_NOT_ATTACHED = _PARTS | {
    "vouches_for", "attribution", "category", "compression", "embedded", "undeclared",
}  # fmt: skip

_DEPTH = 2
"""How deep archives are read: one, and those inside it."""


def _members(
    members: Any,
    path: KeyPath,
    *,
    depth: int,
    held: bool,
    limits: Any,
    parts: bool = False,
) -> Iterator[Finding]:
    """Findings about what is in an archive; `held` where it has owners as a whole, `parts` where it
    is a multipart body."""
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
        if parts:
            yield from _header(spec.get("subject_header"), (*where, "subject_header"))
        for name in sorted(spec.keys() & _PARTS if not parts else ()):
            yield Finding((*where, name), "is for the parts of a multipart body", on_key=True)
        of_all = {name: value for name, value in spec.items() if name not in _PARTS}
        yield from _member(of_all, where, vouched, depth, held, limits)


def _header(fields: Any, path: KeyPath) -> Iterator[Finding]:
    """Findings about the fields of a part's header that name its owner."""
    for kind, name in fields.items() if isinstance(fields, Mapping) else ():
        if isinstance(name, str) and name.lower() in READ:
            yield Finding((*path, kind), "says something else of a part, not whose it is")


def _member(
    spec: Mapping[str, Any], path: KeyPath, vouched: bool, depth: int, held: bool, limits: Any
) -> Iterator[Finding]:
    form = one_of(Format, spec.get("format", Format.OPAQUE.value))
    attribution = one_of(Attribution, spec.get("attribution", Attribution.DIRECT.value))
    names_owner = _names_owner(spec.get("match"))
    yield from rejected(compile_pattern, texts(spec.get("match"), (*path, "match")))
    match form:
        case None:
            return
        case Format.MULTIPART:
            message = "only a response says which boundary its parts have"
            yield Finding((*path, "format"), message)
            return
        case _ if fault := unread(form):
            yield Finding((*path, "format"), fault)
            return
        case _ if FORMATS[form].random_access and depth >= _DEPTH:
            yield Finding(
                (*path, "format"), "archives are read two deep, and this would be a third"
            )
            return
        case Format.ZIP | Format.TAR:
            yield from check_keys(spec, form, path)
            inside = (*path, "members")
            deeper = depth + 1
            yield from _members(spec.get("members"), inside, depth=deeper, held=True, limits=limits)
            return
        case _:
            yield from check_keys(spec, form, path)
            yield from check_locators(spec, form, path)
            if "embedded" in FORMATS[form].settings:
                yield from check_embedded(spec, path, limits)
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
