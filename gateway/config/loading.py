"""A file and the environment → frozen settings, or every fault at once."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from pydantic import TypeAdapter, ValidationError
from pydantic_core import CoreSchema, SchemaValidator

from gateway.config import checks
from gateway.config.environment import applied, overrides, written_out
from gateway.config.faults import ConfigFaults, Fault, Finding, Place
from gateway.config.file import Document, read
from gateway.config.keys import KEYS, Items, KeyPath, Named, Section, Shape, is_location, is_path
from gateway.config.settings import Config
from gateway.config.wording import reworded
from gateway.identity.settings import IssuerSettings
from gateway.locations import is_url


def load(path: Path, environ: Mapping[str, str], *, thorough: bool = False) -> Config:
    """Read the configuration file, and what the environment puts in its place.

    A relative path in it starts at the file's folder. `thorough` has the policy's Rego compiled,
    too, which takes a process and a second. Raises ConfigFaults, holding every fault.
    """
    document = read(path)
    settings = written_out({} if document.value is None else document.value)
    found, faults = overrides(environ, KEYS, settings)
    for override in found:
        settings = applied(settings, override)
    settings = _anchored(settings, KEYS, path.parent.absolute())
    config, findings = _validated(settings)
    findings += checks.check(settings, findings, thorough=thorough)
    variables = {override.path: override.variable for override in found}
    faults += document.faults
    said = {fault.place for fault in document.faults}
    for finding in findings:
        place = _place(finding, document, variables)
        if place not in said:
            faults.append(Fault(place, finding.path, finding.message))
    if faults or config is None:
        raise ConfigFaults(faults)
    return config


def _validated(settings: Any) -> tuple[Config | None, list[Finding]]:
    try:
        return cast(Config, _VALIDATOR.validate_python(settings)), []
    except ValidationError as error:
        return None, reworded(error.errors(include_url=False), settings, KEYS)


def _place(finding: Finding, document: Document, variables: Mapping[KeyPath, str]) -> Place:
    """The variable, where the environment set the value; else the line."""
    if finding.place:
        return finding.place
    if finding.path in variables:
        return Place(variables[finding.path])
    return document.place(finding.path, finding.on_key)


def _anchored(value: Any, shape: Shape | None, folder: Path) -> Any:
    """A copy of the settings in which no path is relative."""
    match shape, value:
        case Section(settings=settings, keys=keys), dict():
            anchored = {
                name: _anchored(inside, keys[name].shape if name in keys else None, folder)
                for name, inside in value.items()
            }
            if settings is IssuerSettings and _is_file(anchored.get("jwks")):
                anchored["jwks"] = str(folder / anchored["jwks"])
            return anchored
        case Named(each=each), dict():
            return {name: _anchored(inside, each, folder) for name, inside in value.items()}
        case Items(each=each), list():
            return [_anchored(inside, each, folder) for inside in value]
        case _, str() if value and (is_path(shape) or (is_location(shape) and not is_url(value))):
            return str(folder / value)
        case _:
            return value


def _is_file(jwks: Any) -> bool:
    return isinstance(jwks, str) and jwks != "" and not is_url(jwks)


def exact(schema: Any) -> Any:
    """A core schema in which numbers and booleans are never made of anything else.

    Pydantic's strict mode would also ask for tuples and enums, which no YAML has.
    """
    if isinstance(schema, dict):
        copy = {key: exact(value) for key, value in schema.items()}
        return {**copy, "strict": True} if copy.get("type") in ("int", "float", "bool") else copy
    if isinstance(schema, list):
        return [exact(value) for value in schema]
    if type(schema) is tuple:
        return tuple(exact(value) for value in schema)
    return schema


_VALIDATOR = SchemaValidator(cast(CoreSchema, exact(TypeAdapter(Config).core_schema)))
