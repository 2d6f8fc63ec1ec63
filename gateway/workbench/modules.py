"""The modules and the data that decide: of the bundle, or of the OPA that is configured."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from gateway.locations import shown
from gateway.policy import bundle
from gateway.policy.settings import PolicySettings
from gateway.workbench.unusable import Unusable

_MOST_TESTS, _LONGEST_TEST = 1_000, 1 << 20


@dataclass(frozen=True, slots=True)
class Modules:
    """`texts` are path → Rego, `data` is the data document as JSON, `origin` says whose they are;
    a path in `origin` and one of `texts` together are a file's, where it is a folder."""

    texts: Mapping[str, str]
    data: bytes
    origin: str


def of_bundle(policy: PolicySettings) -> Modules:
    """Those of the bundle, with the deployment's own data. Raises Unusable."""
    folder = folder_of(policy)
    try:
        loaded = bundle.load(folder, policy.data, policy.delivery)
    except bundle.BundleError as error:
        raise Unusable(str(error)) from None
    return Modules(loaded.modules, msgspec.json.encode(loaded.data), str(folder))


def folder_of(policy: PolicySettings) -> Path:
    """The bundle that is configured, or the one that ships. Raises Unusable for a URL: the tools
    work with what is here."""
    location = policy.bundle or bundle.shipped()
    if isinstance(location, str):
        raise Unusable(f"{shown(location)}: the bundle is at a URL; say --bundle FILE")
    return location


def with_tests(policy: PolicySettings) -> Modules:
    """The bundle with its tests and its own data only, as `opa test` has it; an archive has no
    tests. It is proven as it would be delivered. Raises Unusable.
    """
    folder = folder_of(policy)
    plain = of_bundle(PolicySettings(bundle=folder, delivery=policy.delivery))
    tests: dict[str, str] = {}
    for file in sorted(folder.rglob("*_test.rego")):
        name = file.relative_to(folder)
        if any(part.startswith(".") for part in name.parts[:-1]):
            continue
        if len(tests) >= _MOST_TESTS:
            raise Unusable(f"{folder}: more than {_MOST_TESTS} files of tests")
        tests[name.as_posix()] = _text(file)
    return Modules({**plain.texts, **tests}, plain.data, str(folder))


def _text(file: Path) -> str:
    try:
        if not file.is_file():
            raise Unusable(f"{file}: not a regular file")
        with file.open("rb") as opened:
            content = opened.read(_LONGEST_TEST + 1)
        if len(content) > _LONGEST_TEST:
            raise Unusable(f"{file}: more than {_LONGEST_TEST >> 20} MiB")
        return content.decode()
    except OSError as error:
        raise Unusable(f"{file}: can't be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise Unusable(f"{file}: not UTF-8 at byte {error.start}") from None
