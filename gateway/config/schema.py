"""The JSON Schema of the configuration file, for editors and for charts."""

from typing import Any, assert_never, cast

from pydantic import TypeAdapter

from gateway.config.keys import KEYS, Items, Leaf, Named, Section, Shape, spell_default
from gateway.config.settings import Config
from gateway.model import OUTSIDE

_OUTSIDE = {"type": "string", "pattern": f"^{OUTSIDE}$"}
"""A format that an installed package brings."""


def json_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of the configuration file."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **TypeAdapter(Config).json_schema(),
        "title": "privacy-gateway configuration",
    }
    _spell_defaults(KEYS, schema, schema["$defs"])
    schema["$defs"]["Format"] = {"anyOf": [schema["$defs"]["Format"], _OUTSIDE]}
    return cast(dict[str, Any], _closed(schema))


def _closed(schema: Any) -> Any:
    """A copy in which a name that fits no pattern is a fault, as it is in the file."""
    if isinstance(schema, dict):
        closed = {key: _closed(value) for key, value in schema.items()}
        return (
            {**closed, "additionalProperties": False} if "patternProperties" in closed else closed
        )
    return [_closed(each) for each in schema] if isinstance(schema, list) else schema


def _spell_defaults(shape: Shape, schema: dict[str, Any], definitions: dict[str, Any]) -> None:
    """Write the defaults of quantities as they are written in the file."""
    match shape:
        case Items(each=each) | Named(each=each):
            _spell_defaults(each, schema, definitions)
        case Section(settings=settings, keys=keys):
            properties = definitions.get(settings.__name__, schema)["properties"]
            for name, key in keys.items():
                if isinstance(key.shape, Leaf) and "default" in properties[name]:
                    properties[name]["default"] = spell_default(key)
                _spell_defaults(key.shape, schema, definitions)
        case Leaf():
            pass
        case _:
            assert_never(shape)
