"""Writes docs/configuration.md from the settings classes: `python docs/generate_configuration.py`.

The tests fail where the file is not what this writes.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from gateway.config import json_schema
from gateway.config.keys import KEYS, Items, Key, Leaf, Named, Section, Shape, Unit, spell_default
from gateway.quantities import spell_duration, spell_size

PAGE = Path(__file__).with_name("configuration.md")

INTRODUCTION = """\
# Configuration

<!-- Written by docs/generate_configuration.py from the settings classes. Don't edit. -->

One YAML file. [The minimal one](examples/minimal.yaml) has ten lines, [the complete one]\
(examples/gateway.yaml) shows every section.

```
privacy-gateway check --config gateway.yaml     every fault at once, with its line
privacy-gateway check --schema                  JSON Schema, for editors
privacy-gateway run --config gateway.yaml
```

**Unknown keys are faults**, and so are duplicate keys, tags, merge keys (`<<`) and a second
document. The file is YAML 1.2: `yes`, `no` and `on` are text, only `true` and `false` are true and
false; a number has no leading zero and no underscore. Anchors and aliases may be used. At most
1 MiB.

**Quantities have units.** Sizes: `B`, `kB`, `MB`, `GB` (powers of 1000), `KiB`, `MiB`, `GiB`
(powers of 1024), as in `64KiB`. Durations: `ms`, `s`, `m`, `h`, `d`, as in `200ms`. A bare number
is a fault.

**Paths** that are relative start at the folder of the configuration file, also those that come
from the environment.

**Secrets** are in files that the configuration names (`…_file`), never in the configuration, the
environment or the arguments.

**The environment** takes the place of single values: `PRIVACY_GATEWAY_` and the path of the key,
in capitals, with `__` between the levels and numbers for places in a list.

```
PRIVACY_GATEWAY_UPSTREAM=http://127.0.0.1:3000
PRIVACY_GATEWAY_POLICY__ENGINE=opa
PRIVACY_GATEWAY_IDENTITY__ISSUERS__0__JWKS=jwks.json
```

An item of a list is there only if the file has it; of a list of texts the variable sets a single
one. A variable with this prefix that names no setting is a fault, except those that Kubernetes
sets for a Service of this name.

**Types** below: a *list* may be written as its only item where the table says so; *mapping* means
names that you choose.
"""


WORDS = {
    "listen": "address and port",
    "admin": "address and port",
    "upstream": "URL, or [`upstream`](#upstream)",
    "upstream.url": "URL",
    "policy.bundle": "path or URL",
    "policy.opa": "URL",
    "policy.shadow.bundle": "path or URL",
    "policy.shadow": "path or URL, or [`policy.shadow`](#policyshadow)",
    "identity.issuers[].jwks": "URL or path",
    "identity.issuers[].identifiers": "mapping of identifier kinds to a claim, a template such as"
    " `Patient/{patient}`, or a mapping with `claim` and `type` (`string`, `integer`)",
    "endpoints[].path": "path with `{parameters}`",
    "endpoints[].observe_until": "date such as `2026-12-31` (to its end, UTC), or RFC 3339 time"
    " with a zone",
    "endpoints[].body.records": "locator",
    "endpoints[].body.subject": "mapping of identifier kinds to a locator or list of locators, or"
    " a list of such mappings",
    "endpoints[].body.totals": "locator or list of locators",
    "endpoints[].body.namespaces": "mapping of prefixes to namespaces",
    "endpoints[].body.members[].match": "pattern",
    "endpoints[].body.members[].vouches_for": "locator",
}
"""Types that only people can name."""


def page() -> str:
    """The whole page."""
    return "\n".join((INTRODUCTION, *_sections(KEYS, "", json_schema()["$defs"])))


def _sections(section: Section, path: str, schema: Mapping[str, Any]) -> Iterator[str]:
    yield f"## {f'`{path}`' if path else 'Top level'}\n"
    yield f"{_documentation(section)}\n"
    own = schema.get(section.settings.__name__) or json_schema()
    yield "| key | type | default |\n| --- | --- | --- |"
    for name, key in section.keys.items():
        where = f"{path}.{name}".lstrip(".")
        said = WORDS.get(where) or _of_members(where)
        kind = said or _kind(own["properties"][name], key.shape, schema, where)
        yield f"| `{name}` | {_cell(kind)} | {_cell(_default(path, name, key))} |"
    yield ""
    for name, key in section.keys.items():
        inner, where = key.shape, f"{path}.{name}".lstrip(".")
        while isinstance(inner, Items | Named):
            inner, where = inner.each, f"{where}[]"
        if isinstance(inner, Section):
            yield from _sections(inner, where, schema)


def _of_members(where: str) -> str | None:
    """The words for a key of a member: those of its body's, where it has none of its own."""
    once = where.replace(".members[].members[]", ".members[]")
    return WORDS.get(once) or WORDS.get(once.replace(".members[]", ""))


def _documentation(section: Section) -> str:
    """The class's own words, without what is true of its values in Python only."""
    text = inspect.getdoc(section.settings) or ""
    return text.replace(" Durations are in seconds.", "").replace(", in seconds", "")


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _default(path: str, name: str, key: Key) -> str:
    if (path, name) == ("spool", "directory"):
        return "`privacy-gateway-<uid>` in the system's temporary folder"
    if key.required:
        return "**required**"
    if isinstance(key.shape, Section):
        return "none" if key.default is None else ""
    default = spell_default(key)
    if default in (None, "", []):
        return "none"
    if isinstance(default, list):
        return ", ".join(f"`{each}`" for each in default)
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def _kind(schema: Mapping[str, Any], shape: Shape | None, every: Mapping[str, Any], at: str) -> str:
    """A type in words, from its JSON Schema; the unit from the settings."""
    unit = shape.unit if isinstance(shape, Leaf) else Unit.NONE
    match schema:
        case {"$ref": reference}:
            return _kind(every[reference.rpartition("/")[2]], shape, every, at)
        case {"anyOf": choices} | {"oneOf": choices}:
            kinds = (_kind(each, shape, every, at) for each in choices if each != {"type": "null"})
            return " or ".join(dict.fromkeys(kind for kind in kinds if kind))
        case {"const": only}:
            return f"`{only}`"
        case {"enum": values}:
            return ", ".join(f"`{value}`" for value in values)
        case {"type": "string"} if unit is not Unit.NONE:
            return ("size" if unit is Unit.BYTES else "duration") + _bounds(shape)
        case {"type": "string", "format": "path"}:
            return "path"
        case {"type": "string"}:
            return "text"
        case {"type": "integer"}:
            return "whole number" + _bounds(shape)
        case {"type": "boolean"}:
            return "`true`, `false`"
        case {"type": "array", "maxItems": 0}:
            return ""
        case {"type": "array", "items": items}:
            return f"list of {_plural(_kind(items, _each(shape), every, f'{at}[]'))}"
        case {"type": "object", "properties": _} if isinstance(shape, Section):
            anchor = at.replace("[", "").replace("]", "").replace(".", "")
            return f"[`{at}`](#{anchor})"
        case {"type": "object", "properties": properties}:
            return f"mapping with {', '.join(f'`{name}`' for name in properties)}"
        case {"patternProperties": patterns}:
            (values,) = patterns.values()
            return f"mapping of names to {_plural(_kind(values, _each(shape), every, at))}"
        case {"type": "object", "additionalProperties": values}:
            return f"mapping of names to {_plural(_kind(values, _each(shape), every, at))}"
        case _:
            raise ValueError(f"{at}: no words for {schema}")


def _each(shape: Shape | None) -> Shape | None:
    return shape.each if isinstance(shape, Items | Named) else None


def _plural(kind: str) -> str:
    return {"text": "texts", "path": "paths"}.get(kind, kind)


def _bounds(shape: Shape | None) -> str:
    """The bounds of a number, in its unit."""
    assert isinstance(shape, Leaf)
    spelled: Callable[[Any], str]
    match shape.unit:
        case Unit.BYTES:
            spelled = spell_size
        case Unit.SECONDS:
            spelled = spell_duration
        case Unit.NONE:
            spelled = str
    notes = getattr(shape.annotation, "__metadata__", ())
    bounds = [bound for note in notes for bound in getattr(note, "metadata", (note,))]
    words = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
    return "".join(
        f", {word} {spelled(getattr(bound, name))}"
        for name, word in words.items()
        for bound in bounds
        if hasattr(bound, name)
    )


if __name__ == "__main__":
    PAGE.write_text(page())
