"""The files of a bundle → modules, data and a revision, or what is unclear about them.

    .manifest                   roots ["privacy"], and the revision, if there is one
    <path>/<name>.rego          modules; *_test.rego is left out
    <path>/data.json, .yaml     a data document at that path
    schemas/deployment.json     what the deployment document must look like, if it is there

The layout is OPA's, and what OPA refuses is refused here too: modules and data outside the roots,
two documents in one place. What OPA would read and we don't (deltas, plans, WebAssembly) is refused
as well, so that both engines have the same policy.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import msgspec

from gateway.policy.bundles import documents
from gateway.policy.bundles.documents import DATA_FILES, DEPLOYMENT, ROOT
from gateway.policy.bundles.faults import BundleError

MANIFEST = ".manifest"
SIGNATURES = ".signatures.json"
DEPLOYMENT_SCHEMA = "schemas/deployment.json"

MAX_REVISION = 256

_MAX_MODULE = 1 << 20
_NOT_READ = {
    "patch.json": "a delta bundle",
    "policy.wasm": "a WebAssembly bundle",
    "plan.json": "a plan bundle",
    "plan.pb": "a plan bundle",
    ".manifest.pb": "a manifest in protocol buffers",
}
"""Names that mean something to OPA wherever they stand, and nothing to us."""

_PACKAGE = re.compile(r"package[ \t]+(\S+)[ \t\r]*(?:#.*)?")
_ASIDE = re.compile(r"\s*(?:#|\Z)")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Edition:
    """Which bundle it is, whatever overlay lies over it.

    `revision` is the manifest's, empty where it has none; `digest` is SHA-256, in hex, over every
    file that counts.
    """

    revision: str
    digest: str


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle that can be loaded. `modules` are path inside the bundle → Rego text, `data` is the
    whole data document, `deployment_schema` the JSON Schema of its deployment document, if it
    brings one.

    `origin` names where it came from, for people. `revision` is what the decision log records:
    the manifest's or a digest, with the overlay's digest behind it. `digest` is over the edition
    and the overlay: two bundles with the same one decide the same. `stale` is set where the bundle
    is the persisted last good, and the source itself couldn't be asked.
    """

    origin: str
    revision: str
    modules: Mapping[str, str]
    data: Mapping[str, Any]
    deployment_schema: bytes | None
    edition: Edition
    digest: str
    stale: bool = False

    def file(self, name: str) -> str:
        """A file of the bundle, named for people."""
        return f"{self.origin}/{name}"


@dataclass(frozen=True, slots=True)
class Overlay:
    """The document that takes the place of the bundle's deployment document. `place` names it for
    people, `digest` is SHA-256, in hex, over its file."""

    place: str
    document: Mapping[str, Any]
    digest: str


class _Manifest(msgspec.Struct, forbid_unknown_fields=True):
    roots: list[str]
    revision: str = ""
    rego_version: int = 1
    metadata: dict[str, Any] = msgspec.field(default_factory=dict)


def counts(name: str) -> bool:
    """Whether a file of this name has to do with what a bundle means, for us or for OPA."""
    path = PurePosixPath(name)
    is_module = path.suffix == ".rego" and not path.stem.endswith("_test")
    known = path.name in DATA_FILES or path.name in _NOT_READ or path.name == MANIFEST
    return is_module or known or name == DEPLOYMENT_SCHEMA


def parse(contents: Mapping[str, bytes], origin: str, overlay: Overlay | None = None) -> Bundle:
    """The bundle of these files, path inside the bundle → content. Raises BundleError.

    The revision is the manifest's, or `sha256:` and a digest over every file that counts; an
    overlay adds its own digest.
    """
    contents = {name: contents[name] for name in sorted(contents) if counts(name)}
    for name in contents:
        _check_name(origin, name)
    manifest = _manifest(f"{origin}/{MANIFEST}", contents.get(MANIFEST))
    edition = Edition(manifest.revision, _digest(contents))
    modules: dict[str, str] = {}
    data: dict[str, Any] = {}
    for name, content in contents.items():
        place = f"{origin}/{name}"
        if name.endswith(".rego"):
            modules[name] = _module(place, content)
        elif PurePosixPath(name).name in DATA_FILES:
            data = documents.placed(data, place, name, documents.parse(place, content))
    if not modules:
        raise BundleError(origin, "no Rego module")
    revision, digest = edition.revision or f"sha256:{edition.digest}", edition.digest
    if overlay is not None:
        data = documents.overlaid(data, overlay.place, overlay.document)
        revision += f"+sha256:{overlay.digest[:16]}"
        digest = _digest({"": edition.digest.encode(), DEPLOYMENT: overlay.digest.encode()})
    schema = contents.get(DEPLOYMENT_SCHEMA)
    return Bundle(origin, revision, modules, data, schema, edition, digest)


def _check_name(origin: str, name: str) -> None:
    path = PurePosixPath(name)
    if path.name in _NOT_READ:
        raise BundleError(f"{origin}/{name}", f"part of {_NOT_READ[path.name]}, which is not read")
    if path.name == MANIFEST and name != MANIFEST:
        raise BundleError(f"{origin}/{name}", "a second manifest; a bundle has one, at its top")
    if any(part.startswith(".") for part in path.parts[:-1]):
        raise BundleError(f"{origin}/{name}", "in a hidden folder: OPA would read it, we wouldn't")


def _module(place: str, content: bytes) -> str:
    if len(content) > _MAX_MODULE:
        raise BundleError(place, f"a module of more than {_MAX_MODULE} bytes")
    module = documents.text(place, content)
    parts = _package(module)
    if not all(_NAME.fullmatch(part) for part in parts):
        message = "expected to begin with a line such as: package privacy.grounds.self_access"
        raise BundleError(place, message)
    if parts[0] != ROOT:
        raise BundleError(place, f"package outside the root {ROOT}")
    return module


def _package(module: str) -> list[str]:
    """The package that a module begins with, comments aside; no name where it doesn't.

    Not just any line: a text inside of the module can look like one.
    """
    lines = (line for line in module.split("\n") if not _ASIDE.match(line))
    found = _PACKAGE.fullmatch(next(lines, ""))
    return found[1].split(".") if found else [""]


def _manifest(place: str, content: bytes | None) -> _Manifest:
    if content is None:
        raise BundleError(place, 'missing: a bundle needs one, such as {"roots": ["privacy"]}')
    try:
        manifest = msgspec.convert(documents.strict_json(place, content), _Manifest)
    except (BundleError, msgspec.ValidationError) as error:
        why = error.message if isinstance(error, BundleError) else str(error)[:200]
        raise BundleError(place, f'expected JSON such as {{"roots": ["privacy"]}}: {why}') from None
    if manifest.roots != [ROOT]:
        raise BundleError(place, f'roots must be ["{ROOT}"]')
    if manifest.rego_version != 1:
        raise BundleError(place, "rego_version must be 1")
    if len(manifest.revision) > MAX_REVISION or not manifest.revision.isprintable():
        message = f"the revision must be printable, and at most {MAX_REVISION} characters"
        raise BundleError(place, message)
    return manifest


def _digest(contents: Mapping[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name, content in contents.items():
        for part in (name.encode(), content):
            digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()
