"""What pydantic checks of a setting, written so that it needn't be imported to say it.

The processes that read bodies get their settings checked, from their parent: to import pydantic for
their types was much of what a start cost them. Bounds of numbers and lengths are those of
`annotated_types`, which pydantic knows.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

STRICT: Mapping[str, Any] = {"extra": "forbid", "frozen": True}
"""`__pydantic_config__` of a settings class: no key that it doesn't know."""


@dataclass(frozen=True, slots=True)
class Before:
    """A function that sees a value first: pydantic's `BeforeValidator`. `shown` is the type that
    the JSON Schema gives for what may be written."""

    check: Callable[[Any], Any]
    shown: Any = None

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        from pydantic import BeforeValidator

        known = {} if self.shown is None else {"json_schema_input_type": self.shown}
        return BeforeValidator(self.check, **known).__get_pydantic_core_schema__(source, handler)


@dataclass(frozen=True, slots=True)
class After:
    """A function that sees a value of the right type: pydantic's `AfterValidator`."""

    check: Callable[[Any], Any]

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        from pydantic import AfterValidator

        return AfterValidator(self.check).__get_pydantic_core_schema__(source, handler)


@dataclass(frozen=True, slots=True)
class Pattern:
    """A regular expression for a text: `Field(pattern=…)`."""

    text: str

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        return {**handler(source), "pattern": self.text}


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """What the JSON Schema says in place of the type's own: pydantic's `WithJsonSchema`."""

    schema: Mapping[str, Any]

    def __get_pydantic_json_schema__(self, _schema: Any, _handler: Any) -> Any:
        return dict(self.schema)
