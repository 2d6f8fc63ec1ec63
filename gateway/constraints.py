"""What pydantic checks of a setting, written so that it needn't be imported to say it.

No process that serves or reads bodies needs pydantic: its settings were checked, by one that ended
(`apart`) or by its parent. To import it for their types was much of what a start cost, and
eight MiB for as long as they lived. Bounds of numbers and lengths are those of
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
class Around:
    """A function that sees a value and what makes an `inner` of one: a wrap validator."""

    check: Callable[[Any, Callable[[Any], Any]], Any]
    inner: type

    def __get_pydantic_core_schema__(self, _source: Any, handler: Any) -> Any:
        from pydantic_core.core_schema import no_info_wrap_validator_function

        return no_info_wrap_validator_function(self.check, handler(self.inner))


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


@dataclass(frozen=True, slots=True, eq=False)
class Besides:
    """What the JSON Schema says besides: pydantic's `json_schema_extra`."""

    schema: Mapping[str, Any]

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> Any:
        return {**handler(schema), **self.schema}
