"""A bundle folder → modules, data and a revision; bounded, and refused where it is unclear.

    .manifest                   roots ["privacy"], and the revision, if there is one
    <path>/<name>.rego          modules; *_test.rego is left out
    <path>/data.json, .yaml     a data document at that path
    schemas/deployment.json     what the deployment document must look like, if it is there

The layout is OPA's, and what OPA refuses is refused here too: modules and data outside the roots,
two documents in one place. Duplicate keys, which OPA doesn't see, are refused as well.
"""

import hashlib
import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jiter
import msgspec
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

ROOT = "privacy"
MANIFEST = ".manifest"
DEPLOYMENT_SCHEMA = "schemas/deployment.json"
DEPLOYMENT = "deployment"
"""The deployment's own settings are at `data.privacy.deployment`."""

_MAX_FILES = 1_000
_MAX_MODULE = 1 << 20
_MAX_DATA = 32 << 20
_MAX_YAML = 1 << 20
"""YAML is read in Python, some seconds a megabyte: larger data belongs in JSON."""
_MAX_VALUES = 2_000_000
_MAX_DEPTH = 32

_DATA_FILES = ("data.json", "data.yaml", "data.yml")
_PACKAGE = re.compile(r"^package[ \t]+(\S+)[ \t]*(?:#.*)?$", re.MULTILINE)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


class BundleError(Exception):
    """A bundle can't be used: which file, and why, in one line without its data."""

    def __init__(self, path: Path | str, message: str) -> None:
        super().__init__(f"{path}: {message}")
        self.path, self.message = str(path), message


@dataclass(frozen=True, slots=True)
class Bundle:
    """A loaded bundle: `modules` are path inside the folder → Rego text, `data` is the whole data
    document, `deployment_schema` the JSON Schema of its deployment document, if it brings one."""

    folder: Path
    revision: str
    modules: Mapping[str, str]
    data: Mapping[str, Any]
    deployment_schema: bytes | None = None


class _Manifest(msgspec.Struct, forbid_unknown_fields=True):
    roots: list[str]
    revision: str = ""
    rego_version: int = 1
    metadata: dict[str, Any] = msgspec.field(default_factory=dict)


def shipped() -> Path:
    """The folder of the policies that come with the gateway."""
    here = Path(__file__).resolve().parent.parent
    packaged = here / "shipped_policies"
    return packaged if packaged.is_dir() else here.parent / "policies"


def load(folder: Path, overlay: Path | None = None) -> Bundle:
    """Read a bundle folder; `overlay` takes the place of its deployment document.

    The revision is the manifest's, or `sha256:` and a digest over every file that counts; an
    overlay adds its own digest. Raises BundleError.
    """
    if not folder.is_dir():
        raise BundleError(folder, "not a folder")
    contents = _contents(folder.resolve())
    manifest = _manifest(folder / MANIFEST, contents.get(MANIFEST))
    revision = manifest.revision or f"sha256:{_digest(contents)}"
    schema = contents.pop(DEPLOYMENT_SCHEMA, None)
    modules: dict[str, str] = {}
    data: dict[str, Any] = {}
    for name, content in contents.items():
        if name.endswith(".rego"):
            modules[name] = _text(folder / name, content)
        elif name != MANIFEST:
            document = _document(folder / name, content)
            data = _place(data, folder / name, Path(name).parent.parts, document)
    if overlay is not None:
        content = _read(overlay, _MAX_DATA)
        data = _overlay(data, overlay, _document(overlay, content))
        revision += f"+sha256:{hashlib.sha256(content).hexdigest()[:16]}"
    if not modules:
        raise BundleError(folder, "no Rego module")
    for name, text in modules.items():
        _check_package(folder / name, text)
    return Bundle(folder, revision, modules, data, schema)


def _contents(root: Path) -> dict[str, bytes]:
    """Every file that counts, by its path inside the bundle, sorted."""
    contents: dict[str, bytes] = {}
    left = _MAX_DATA
    for path in _paths(root):
        name = path.relative_to(root).as_posix()
        if not name.isprintable():
            raise BundleError(root, "a file name that is not printable")
        if len(contents) >= _MAX_FILES:
            raise BundleError(root, f"more than {_MAX_FILES} files")
        if not _resolved(path).is_relative_to(root):
            raise BundleError(path, "a symlink that leads out of the folder")
        contents[name] = _read(path, min(left, _MAX_MODULE if path.suffix == ".rego" else left))
        left -= len(contents[name])
    return dict(sorted(contents.items()))


def _paths(root: Path) -> Iterator[Path]:
    for directory, folders, names in os.walk(root, onerror=_unreadable):
        here = Path(directory)
        # A mounted ConfigMap keeps its versions in folders named `..data` and `..2026_…`.
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in folders:
            if (here / name).is_symlink():
                raise BundleError(here / name, "a symlink to a folder")
        for path in (here / name for name in names):
            inside = path.relative_to(root).as_posix()
            is_module = path.suffix == ".rego" and not path.stem.endswith("_test")
            if is_module or path.name in _DATA_FILES or inside in (MANIFEST, DEPLOYMENT_SCHEMA):
                yield path


def _unreadable(error: OSError) -> None:
    raise BundleError(error.filename, os.strerror(error.errno or 0))


def _resolved(path: Path) -> Path:
    try:
        return path.resolve(strict=True)
    except (OSError, RuntimeError):  # RuntimeError: a loop
        raise BundleError(path, "a symlink that leads nowhere") from None


def _read(path: Path, limit: int) -> bytes:
    """The content of a regular file."""
    try:
        # Not blocking, or a named pipe would hold us here for ever.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise BundleError(path, "not a regular file")
            content = file.read(limit + 1)
    except OSError as error:
        raise BundleError(path, os.strerror(error.errno or 0)) from None
    if len(content) > limit:
        raise BundleError(path, "too large, by itself or together with the rest of the bundle")
    return content


def _digest(contents: Mapping[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name, content in contents.items():
        for part in (name.encode(), content):
            digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


def _text(path: Path, content: bytes) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BundleError(path, f"not UTF-8 at byte {error.start}") from None


def _manifest(path: Path, content: bytes | None) -> _Manifest:
    if content is None:
        raise BundleError(path, 'missing: a bundle needs one, such as {"roots": ["privacy"]}')
    try:
        manifest = msgspec.json.decode(content, type=_Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise BundleError(path, 'expected JSON such as {"roots": ["privacy"]}') from None
    if manifest.roots != [ROOT]:
        raise BundleError(path, f'roots must be ["{ROOT}"]')
    if manifest.rego_version != 1:
        raise BundleError(path, "rego_version must be 1")
    if len(manifest.revision) > 256 or not manifest.revision.isprintable():
        raise BundleError(path, "the revision must be printable, and at most 256 characters")
    return manifest


# --- data ---------------------------------------------------------------------------------------


def _document(path: Path, content: bytes) -> Any:
    text = _text(path, content)
    if path.suffix != ".json" and len(content) > _MAX_YAML:
        raise BundleError(path, f"more than {_MAX_YAML} bytes of YAML: use JSON")
    try:
        if path.suffix == ".json":
            document = jiter.from_json(content, allow_inf_nan=False, catch_duplicate_keys=True)
        else:
            document = YAML(typ="safe", pure=True).load(text)
    except ValueError as error:
        # Of jiter's text only the place: the rest may quote data.
        place = re.search(r"line \d+ column \d+", str(error))
        raise BundleError(path, f"not strict JSON, {place[0] if place else 'somewhere'}") from None
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place_ = f"line {mark.line + 1} column {mark.column + 1}" if mark else "somewhere"
        raise BundleError(path, f"not strict YAML, {place_}") from None
    except RecursionError:
        raise BundleError(path, "nested too deeply") from None
    _Values(path, _MAX_VALUES).check(document, 0)
    return document


@dataclass(slots=True)
class _Values:
    """Counts values as they are when written out: YAML aliases can stand for billions."""

    path: Path
    left: int

    def check(self, value: Any, depth: int) -> None:
        self.left -= 1
        if self.left < 0 or depth > _MAX_DEPTH:
            raise BundleError(self.path, "too many values, or nested too deeply")
        match value:
            case None | bool() | str():
                return
            case int() if -(2**63) <= value < 2**63:
                return
            case float() if value - value == 0:
                return
            case list():
                for each in value:
                    self.check(each, depth + 1)
            case dict() if all(isinstance(key, str) for key in value):
                for each in value.values():
                    self.check(each, depth + 1)
            case _:
                raise BundleError(self.path, f"a {type(value).__name__} that JSON can't hold")


def _place(
    data: dict[str, Any], path: Path, parts: tuple[str, ...], document: Any
) -> dict[str, Any]:
    """The data with one more document, at its folder's path."""
    if parts[:1] != (ROOT,):
        raise BundleError(path, f"data outside the root {ROOT}")
    for part in reversed(parts):
        document = {part: document}
    return _merged(data, document, path)


def _merged(one: dict[str, Any], other: dict[str, Any], path: Path) -> dict[str, Any]:
    """Both together; a new object, since YAML aliases make parts of a document the same object."""
    merged = dict(one)
    for key, value in other.items():
        there = merged.get(key)
        if key not in merged:
            merged[key] = value
        elif isinstance(there, dict) and isinstance(value, dict):
            merged[key] = _merged(there, value, path)
        else:
            raise BundleError(path, "data in the place of another data document")
    return merged


def _overlay(data: dict[str, Any], path: Path, document: Any) -> dict[str, Any]:
    if not isinstance(document, dict):
        raise BundleError(path, "expected an object, as in policies/schemas/deployment.json")
    within = data.get(ROOT, {})
    if not isinstance(within, dict):
        raise BundleError(path, "the bundle's data has no place for it")
    return {**data, ROOT: {**within, DEPLOYMENT: document}}


def _check_package(path: Path, text: str) -> None:
    match = _PACKAGE.search(text)
    parts = match[1].split(".") if match else []
    if not match or not all(_NAME.fullmatch(part) for part in parts):
        raise BundleError(path, "expected a line such as: package privacy.grounds.self_access")
    if parts[0] != ROOT:
        raise BundleError(path, f"package outside the root {ROOT}")
