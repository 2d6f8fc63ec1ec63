"""Cases: a caller and a body, and what must become of them, in YAML that anybody can write.

    endpoint: orders                 # for every case that doesn't say its own
    cases:
      - name: the owner gets her orders
        caller: {sub: A1}
        body: bodies/orders.json     # or json: …, or text: …
        expect: {effect: allow, kept: 3}

`CaseFile` is all that may stand there. A file is read like a configuration: unknown keys are
faults, every fault is reported at once, with its line.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, ClassVar, cast

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
)
from pydantic_core import CoreSchema, SchemaValidator

from gateway.config.faults import ConfigFaults, Fault, Finding, Place
from gateway.config.file import Document, read
from gateway.config.keys import KeyPath, section
from gateway.config.loading import exact
from gateway.config.wording import did_you_mean, found, reworded
from gateway.errors import Code
from gateway.identity.settings import Text, Texts
from gateway.model import Effect, SubjectRef
from gateway.workbench.unusable import pointed

STRICT = ConfigDict(extra="forbid", frozen=True)

UNATTRIBUTED = "unattributed"
"""The word for records without an owner, where subjects are listed."""

Listed = int | tuple[SubjectRef | None, ...] | tuple[int, ...]
"""Records: how many, or whose (None: nobody's), or which (by their places in the body, from 0)."""

_LISTED = (
    "expected a number of records, a list of subjects such as account:A1, {account: 42} or"
    f" {UNATTRIBUTED}, or a list of places counted from 0"
)


def _listed(value: Any) -> Any:
    match value:
        case bool():
            pass
        case int() if value >= 0:
            return value
        case list() if value and all(type(each) is int and each >= 0 for each in value):
            return tuple(value)
        case list():
            return tuple(_subject(each) for each in value)
    raise ValueError(_LISTED)


def _subject(value: Any) -> SubjectRef | None:
    match value:
        case "unattributed":
            return None
        case str() if all(value.partition(":")):
            kind, _, name = value.partition(":")
            return SubjectRef(kind, name)
        case dict() if len(value) == 1:
            ((kind, name),) = value.items()
            if type(name) in (str, int):
                return SubjectRef(kind, name)
    raise ValueError(_LISTED)


_LISTED_SCHEMA = {
    "anyOf": [
        {"type": "integer", "minimum": 0},
        {
            "type": "array",
            "items": {
                "anyOf": [
                    {"type": "string", "pattern": "^[^:]+:.+$", "examples": ["account:A1"]},
                    {"const": UNATTRIBUTED},
                    {
                        "type": "object",
                        "minProperties": 1,
                        "maxProperties": 1,
                        "additionalProperties": {"type": ["string", "integer"]},
                    },
                ]
            },
        },
        {"type": "array", "minItems": 1, "items": {"type": "integer", "minimum": 0}},
    ]
}

_AnyRecords = Annotated[Any, BeforeValidator(_listed), WithJsonSchema(_LISTED_SCHEMA)]


def _moment(value: Any) -> Any:
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ValueError("expected a time with its zone, as 2026-06-01T12:00:00Z")
    return moment


Moment = Annotated[
    datetime,
    BeforeValidator(_moment),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]


def _codes(value: Any) -> Any:
    """Codes are told apart by text, and a misspelt one gets a hint."""
    if isinstance(value, str) and value not in {*Code}:
        raise ValueError(f"not a code of a refusal{did_you_mean(value, [*Code])}")
    return value


@dataclass(frozen=True, slots=True)
class Expect:
    """What must become of a case: all that is said must hold, what isn't said doesn't matter.

    `effect` is the policy's: allow, redact or block. `refused` is the code of a refusal, before or
    after the policy was asked (`blocked_by_policy`, `body_malformed`, `token_expired`, …). `kept`
    and `dropped` are records that would leave and that would not: how many, or all whose they are
    (`unattributed` where they are nobody's), or all places. `members` are the names in the archive
    that would leave. `masked` are the fields whose values stay behind, `reasons` the policy's
    reasons: all of them, in any order.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    effect: Effect | None = None
    refused: Annotated[Code | None, BeforeValidator(_codes)] = None
    kept: _AnyRecords = None
    dropped: _AnyRecords = None
    members: Texts | None = None
    masked: Texts | None = None
    reasons: Texts | None = None

    def __post_init__(self) -> None:
        if all(getattr(self, name) is None for name in self.__slots__):
            raise ValueError("expects nothing: a case that can't fail proves nothing")


@dataclass(frozen=True, slots=True)
class Case:
    """One caller, one body. `caller` are the claims of a token; `body` is a file, looked for from
    this file's folder; `json` and `text` are bodies written here, a list as the records of a format
    that has one a line, text or event.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    name: Text
    expect: Expect
    endpoint: Text | None = None
    caller: Annotated[Mapping[str, Any], Field()] | None = None
    body: Path | None = None
    json: Any = None
    text: str | None = None
    content_type: Text | None = None
    coding: Text | None = None
    method: Text | None = None
    params: Mapping[str, Text] = field(default_factory=dict)
    query: Mapping[str, Texts] = field(default_factory=dict)
    at: Moment | None = None

    def __post_init__(self) -> None:
        given = [each for each in (self.body, self.json, self.text) if each is not None]
        if len(given) != 1:
            raise ValueError("needs one of body (a file), json and text")


def _some(cases: tuple[Case, ...]) -> tuple[Case, ...]:
    if not cases:
        raise ValueError("at least one case is needed")
    return cases


@dataclass(frozen=True, slots=True)
class CaseFile:
    """`endpoint`, `caller` and `at` hold for every case that doesn't say its own."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    cases: Annotated[
        tuple[Case, ...], AfterValidator(_some), Field(json_schema_extra={"minItems": 1})
    ]
    endpoint: Text | None = None
    caller: Annotated[Mapping[str, Any], Field()] | None = None
    at: Moment | None = None


KEYS = section(CaseFile)


@dataclass(frozen=True, slots=True)
class Cases:
    """A file of cases without faults; `document` knows the lines."""

    file: Path
    content: CaseFile
    document: Document

    def place(self, index: int, *path: str) -> Place:
        """Where a case stands, or a key of it, with its line."""
        found = self.document.place(("cases", index, *path), on_key=True)
        if found.line is None or found.column is None:
            return found
        return pointed(found.source, "\n".join(self.document.lines), found.line, found.column)


def load(file: Path, endpoints: Sequence[str]) -> Cases:
    """Read a file of cases. Raises ConfigFaults, holding every fault."""
    document = read(file)
    content, findings = _validated({} if document.value is None else document.value)
    if content is not None:
        findings = [*_endpoints(content, endpoints)]
    faults = [
        *document.faults,
        *(
            Fault(document.place(each.path, each.on_key), each.path, each.message)
            for each in findings
        ),
    ]
    if faults or content is None:
        raise ConfigFaults(faults)
    return Cases(file, content, document)


def json_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a file of cases, for editors."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **TypeAdapter(CaseFile).json_schema(),
        "title": "privacy-gateway cases",
    }


def _validated(value: Any) -> tuple[CaseFile | None, list[Finding]]:
    if not isinstance(value, dict):
        return None, [Finding((), f"expected a mapping with the key cases, found {found(value)}")]
    try:
        return cast(CaseFile, _VALIDATOR.validate_python(value)), []
    except ValidationError as error:
        return None, reworded(error.errors(include_url=False), value, KEYS)


def _endpoints(content: CaseFile, known: Sequence[str]) -> list[Finding]:
    findings = []
    named: list[tuple[KeyPath, str | None]] = [(("endpoint",), content.endpoint)]
    for index, case in enumerate(content.cases):
        if case.endpoint is None and content.endpoint is None:
            message = "no endpoint: say it here, or once at the top of the file"
            findings.append(Finding(("cases", index), message))
        if case.caller is None and content.caller is None:
            message = "no caller: say it here, or once at the top of the file"
            findings.append(Finding(("cases", index), message))
        named.append((("cases", index, "endpoint"), case.endpoint))
    for path, name in named:
        if name is not None and name not in known:
            near = did_you_mean(name, known) or f"; there are {', '.join(known)}"
            findings.append(Finding(path, f"the configuration has no such endpoint{near}"))
    return findings


_VALIDATOR = SchemaValidator(cast(CoreSchema, exact(TypeAdapter(CaseFile).core_schema)))
