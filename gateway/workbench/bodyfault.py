"""Where a body is wrong: the line of it that a refusal speaks of.

A refusal's note names what and where, and never quotes. At the bench the body is the engineer's
own, so the line itself can be shown.
"""

import csv
import io
import re

import jiter

from gateway.config.faults import Place
from gateway.errors import Code, Refusal
from gateway.inspection.dialects import dialect
from gateway.inspection.settings import BodySpec, Limits
from gateway.inspection.source import Body, Stored
from gateway.inspection.writable import AUTO
from gateway.model import Format
from gateway.workbench.unusable import pointed

_MOST = 16 * 2**20
"""Bytes of a body that are searched for the place."""

_LINE, _ROW, _BYTE = (re.compile(rf"\b{word} (\d{{1,15}})\b") for word in ("line", "row", "byte"))
_JSON_CAUSES = (Code.BODY_MALFORMED, Code.BODY_AMBIGUOUS)
_REPEATED = re.compile(r'Detected duplicate key (".*")', re.DOTALL)
_PLACE = re.compile(r"(.*) at line (\d{1,9}) column (\d{1,9})", re.DOTALL)


def json_fault(text: bytes) -> tuple[str, int, int] | None:
    """What is wrong with a JSON text, its line and its column (in characters, from 1)."""
    try:
        jiter.from_json(text, allow_inf_nan=False, catch_duplicate_keys=True)
    except ValueError as error:
        match = _PLACE.fullmatch(str(error))
        if match is None:
            return str(error), 1, 1
        line, column = int(match[2]), int(match[3])
        # jiter counts bytes; people count characters. Of a repeated name it has read the colon.
        before = text.split(b"\n")[line - 1][: max(0, column - 1)]
        if name := _REPEATED.fullmatch(match[1]):
            at = before.rfind(name[1].encode())
            before = before[:at] if at >= 0 else before
        return match[1], line, len(before.decode(errors="replace")) + 1
    return None


def place(
    stored: Stored,
    codings: tuple[str, ...],
    spec: BodySpec,
    limits: Limits,
    code: Code,
    note: str,
    source: str,
) -> tuple[Place, str] | None:
    """Where in a body the cause of a refusal stands, and what is said of it there, if anything.

    None where nothing says so, as for archives, whose notes name a member, and what has no lines.
    """
    if spec.format in (
        Format.ZIP,
        Format.TAR,
        Format.MULTIPART,
        Format.PARQUET,
        Format.XLSX,
        Format.OPAQUE,
    ):
        return None
    data = _decoded(Body(stored, codings, limits, compression=spec.compression))
    if data is None:
        return None
    text = data.decode(errors="replace")
    if spec.format in (Format.JSON, Format.FHIR) and not spec.lines and code in _JSON_CAUSES:
        fault = json_fault(data.removeprefix(b"\xef\xbb\xbf"))
        if fault is not None:
            said, line, column = fault
            return pointed(source, text, line, column), said
    if match := _LINE.search(note):
        return _in_line(data, text, int(match[1]), source)
    if match := _ROW.search(note):
        return pointed(source, text, _line_of_row(text, int(match[1]), spec), 1), ""
    if match := _BYTE.search(note):
        before = data[: int(match[1])]
        column = len(before[before.rfind(b"\n") + 1 :].decode(errors="replace")) + 1
        return pointed(source, text, before.count(b"\n") + 1, column), ""
    if spec.format is Format.CSV and "header" in note:
        return pointed(source, text, spec.preamble + 1, 1), ""
    if (spec.format is Format.NDJSON or spec.lines) and code is Code.BODY_INCOMPLETE:
        last = text.rstrip("\n").rpartition("\n")[2]
        return pointed(source, text, text.rstrip("\n").count("\n") + 1, len(last) + 1), ""
    return None


def _in_line(data: bytes, text: str, number: int, source: str) -> tuple[Place, str]:
    lines = data.split(b"\n", number)
    fault = json_fault(lines[number - 1]) if number <= len(lines) else None
    said, _, column = fault or ("", 1, 1)
    return pointed(source, text, number, column), said


def _line_of_row(text: str, number: int, spec: BodySpec) -> int:
    """The line on which a row of a CSV starts, the header being row 0."""
    if spec.delimiter == AUTO:
        return number + spec.preamble + 1
    read = dialect(spec)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=read.delimiter, quotechar=read.quote)
    try:
        for _ in range(number + spec.preamble):
            next(rows)
    except (csv.Error, StopIteration):
        return number + 1
    return rows.line_num + 1


def _decoded(body: Body) -> bytes | None:
    """The first bytes of a body under its coding, None where the coding itself is at fault."""
    data = bytearray()
    try:
        for chunk in body.chunks():
            data += chunk
            if len(data) > _MOST:
                break
    except Refusal:
        return bytes(data) if not body.codings else None
    return bytes(data[:_MOST])
