"""The parts of an XLSX: a ZIP (`zipdirectory`) whose every member is of a closed set (ECMA-376
part 2).

    [Content_Types].xml   _rels/.rels   xl/_rels/workbook.xml.rels     what is what
    xl/workbook.xml                                                    the sheets and their order
    xl/worksheets/*.xml   xl/sharedStrings.xml   xl/styles.xml         what is in their cells
    docProps/{core,app,custom}.xml   xl/theme/theme1.xml               left behind, unread

Some readers find a part by its name, some by its type, some by what refers to it: all three must
say the same. Any other member (a macro, a comment, a drawing, a table, a pivot cache, a link
elsewhere, an embedded object) is refused: nobody would have read it. Hidden sheets are sheets.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from gateway.errors import BadUpstream, Code
from gateway.inspection.settings import Limits
from gateway.inspection.source import Stored
from gateway.inspection.xlsxmarkup import MAIN, check_text, elements
from gateway.inspection.xpath import SEPARATOR
from gateway.inspection.zipdata import Contents
from gateway.inspection.zipdirectory import read_directory

_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
CONTENT_TYPES, RELATIONSHIPS = f"{_PACKAGE}/content-types", f"{_PACKAGE}/relationships"
RELATION_ID = f"{OFFICE}{SEPARATOR}id"
_OOXML = "application/vnd.openxmlformats"
_SPREADSHEET = f"{_OOXML}-officedocument.spreadsheetml"

TYPES, ROOT, WORKBOOK = "[Content_Types].xml", "_rels/.rels", "xl/workbook.xml"
RELATIONS, STYLES = "xl/_rels/workbook.xml.rels", "xl/styles.xml"
_STRINGS, _THEME = "xl/sharedStrings.xml", "xl/theme/theme1.xml"
WORKSHEET_TYPE = f"{_SPREADSHEET}.worksheet+xml"
PART_TYPES = {
    ROOT: f"{_OOXML}-package.relationships+xml",
    RELATIONS: f"{_OOXML}-package.relationships+xml",
    WORKBOOK: f"{_SPREADSHEET}.sheet.main+xml",
    STYLES: f"{_SPREADSHEET}.styles+xml",
    _STRINGS: f"{_SPREADSHEET}.sharedStrings+xml",
    _THEME: f"{_OOXML}-officedocument.theme+xml",
    "docProps/core.xml": f"{_OOXML}-package.core-properties+xml",
    "docProps/app.xml": f"{_OOXML}-officedocument.extended-properties+xml",
    "docProps/custom.xml": f"{_OOXML}-officedocument.custom-properties+xml",
}
_LEFT_BEHIND = (_THEME, "docProps/core.xml", "docProps/app.xml", "docProps/custom.xml")
_WORKSHEET = re.compile(r"xl/worksheets/[A-Za-z0-9_-]+\.xml")

WORKBOOK_RELATION = f"{OFFICE}/officeDocument"
SHEET_RELATION, STYLES_RELATION = f"{OFFICE}/worksheet", f"{OFFICE}/styles"
_OF_ROOT = {
    WORKBOOK_RELATION: WORKBOOK,
    f"{_PACKAGE}/relationships/metadata/core-properties": "docProps/core.xml",
    f"{OFFICE}/extended-properties": "docProps/app.xml",
    f"{OFFICE}/custom-properties": "docProps/custom.xml",
}
_OF_WORKBOOK = {
    STYLES_RELATION: STYLES,
    f"{OFFICE}/sharedStrings": _STRINGS,
    f"{OFFICE}/theme": _THEME,
    SHEET_RELATION: None,
}

_TRUTHS = {"1": True, "true": True, "0": False, "false": False}
_LONGEST_NAME = 255


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet as the workbook names it."""

    name: str
    contents: Contents


@dataclass(frozen=True, slots=True)
class Package:
    """An opened workbook. `date1904` says from when it counts days; `size` is that of all parts."""

    sheets: tuple[Sheet, ...]
    strings: Contents | None
    styles: Contents | None
    date1904: bool
    size: int


def open_package(stored: Stored, limits: Limits) -> Package:
    """Raises BadUpstream: as `zipdirectory`, MEMBER_UNSUPPORTED for a part that isn't read,
    BODY_AMBIGUOUS where a part is not the same by its name, its type and what refers to it."""
    directory = read_directory(stored, limits)
    parts = {entry.name: Contents(stored, entry) for entry in directory.entries}
    if TYPES not in parts:
        raise BadUpstream(Code.BODY_MALFORMED, "a ZIP that is no workbook")
    for name, contents in parts.items():
        if name not in PART_TYPES and name != TYPES and not _WORKSHEET.fullmatch(name):
            number = contents.entry.number
            raise BadUpstream(Code.MEMBER_UNSUPPORTED, f"member {number}: a part that isn't read")
    _check_types(parts, limits)
    _relations(parts, ROOT, "", _OF_ROOT, limits)
    named = _relations(parts, RELATIONS, "xl/", _OF_WORKBOOK, limits)
    for name in _LEFT_BEHIND:
        if name in parts:
            parts[name].prove()
    sheets, date1904 = _workbook(parts, named, limits)
    return Package(sheets, parts.get(_STRINGS), parts.get(STYLES), date1904, directory.size)


def _check_types(parts: dict[str, Contents], limits: Limits) -> None:
    """The declared type of each part is the one that its name has."""
    defaults: dict[str, str] = {}
    overrides: dict[str, str] = {}
    for path, attributes in elements(parts[TYPES], limits, CONTENT_TYPES):
        match path:
            case ("Types",):
                continue
            case ("Types", "Default"):
                into, key = defaults, attributes.get("Extension", "").lower()
            case ("Types", "Override"):
                into, key = overrides, attributes.get("PartName", "")
            case _:
                raise BadUpstream(Code.BODY_MALFORMED, "a list of types with something else in it")
        if key in into:
            raise BadUpstream(Code.BODY_AMBIGUOUS, "two types for one part")
        if len(into) >= limits.members:
            raise BadUpstream(Code.BODY_TOO_COMPLEX, "more types than limits.members")
        into[key] = attributes.get("ContentType", "")
    for name in parts:
        if name != TYPES:
            declared = overrides.get(f"/{name}") or defaults.get(name.rpartition(".")[2])
            if declared != PART_TYPES.get(name, WORKSHEET_TYPE):
                raise BadUpstream(Code.BODY_AMBIGUOUS, "a part of another type than its name's")


def _relations(
    parts: dict[str, Contents],
    name: str,
    folder: str,
    known: Mapping[str, str | None],
    limits: Limits,
) -> dict[str, str]:
    """Id → sheet. Each relation is of a known kind, to the part that has its name; and each part
    of a known kind has one."""
    if name not in parts:
        raise BadUpstream(Code.BODY_MALFORMED, "a workbook without its relations")
    sheets: dict[str, str] = {}
    seen: set[str] = set()
    for path, attributes in elements(parts[name], limits, RELATIONSHIPS):
        if path == ("Relationships",):
            continue
        kind = attributes.get("Type", "")
        if path != ("Relationships", "Relationship"):
            raise BadUpstream(Code.BODY_MALFORMED, "relations with something else between them")
        if kind not in known or attributes.get("TargetMode", "Internal") != "Internal":
            raise BadUpstream(Code.MEMBER_UNSUPPORTED, "a relation to what isn't read")
        target = attributes.get("Target", "")
        target = target[1:] if target.startswith("/") else folder + target
        expected = known[kind]
        fits = target == expected if expected else _WORKSHEET.fullmatch(target)
        if not fits or target not in parts or target in seen:
            raise BadUpstream(Code.BODY_AMBIGUOUS, "a relation to another part than its kind's")
        seen.add(target)
        if not expected:
            identity = attributes.get("Id", "")
            if identity in sheets:
                raise BadUpstream(Code.BODY_AMBIGUOUS, "two relations of one id")
            sheets[identity] = target
    wanted = {part for part in known.values() if part in parts}
    if None in known.values():
        wanted |= {part for part in parts if _WORKSHEET.fullmatch(part)}
    if name == ROOT:
        wanted.add(WORKBOOK)
    if seen != wanted:
        raise BadUpstream(Code.BODY_AMBIGUOUS, "a part that nothing refers to")
    return sheets


def _workbook(
    parts: dict[str, Contents], named: dict[str, str], limits: Limits
) -> tuple[tuple[Sheet, ...], bool]:
    sheets: list[Sheet] = []
    names: set[str] = set()
    left, date1904 = dict(named), False
    for path, attributes in elements(parts[WORKBOOK], limits, MAIN):
        match path:
            case ("workbook", "sheets", "sheet"):
                name = attributes.get("name", "")
                part = left.pop(attributes.get(RELATION_ID, ""), None)
                if part is None or name.lower() in names:
                    raise BadUpstream(Code.BODY_AMBIGUOUS, "a sheet twice, or one without a part")
                if not name.strip() or len(name) > _LONGEST_NAME:
                    raise BadUpstream(Code.BODY_MALFORMED, "a sheet without a name")
                names.add(name.lower())
                sheets.append(Sheet(check_text(name, kept=True), parts[part]))
            case ("workbook", "workbookPr"):
                truth = _TRUTHS.get(attributes.get("date1904", "0"))
                if truth is None:
                    raise BadUpstream(Code.BODY_MALFORMED, "a workbook of an unknown calendar")
                date1904 = truth
            case ("workbook",) | ("workbook", "sheets"):
                pass
            case (first, *_) if first != "workbook":
                # ISO 29500's strict form has other namespaces, which few readers know.
                raise BadUpstream(Code.BODY_TOO_COMPLEX, "no workbook of the transitional kind")
            case (*_, "sheet" | "sheets" | "workbookPr"):
                raise BadUpstream(Code.BODY_AMBIGUOUS, "a sheet where some readers don't look")
    if left or not sheets:
        raise BadUpstream(Code.BODY_AMBIGUOUS, "a sheet that the workbook doesn't name, or none")
    return tuple(sheets), date1904
