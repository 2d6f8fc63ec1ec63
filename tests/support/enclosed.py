"""The inside of `enclosure.py`: mounts, chroot, another uid, and the program in our place."""

import ctypes
import json
import os
import sys
from pathlib import Path

_BIND, _RECURSIVE, _REMOUNT, _READ_ONLY = 4096, 16384, 32, 1
_NOSUID, _NO_NEW_PRIVILEGES = 2, 38
_LIBC = ctypes.CDLL(None, use_errno=True)


def mount(source: str, target: Path, flags: int) -> None:
    if _LIBC.mount(source.encode(), str(target).encode(), None, flags, None):
        raise OSError(ctypes.get_errno(), f"mount {source} on {target}")


def main() -> None:
    spec = json.loads(sys.argv[1])
    root = Path(spec["root"])
    mount(str(root), root, _BIND | _RECURSIVE)
    for each in spec["mounts"]:
        source, target = Path(each["source"]), root / each["target"].lstrip("/")
        if source.is_dir():
            target.mkdir(parents=True, exist_ok=True)
        elif not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.touch()
        mount(str(source), target, _BIND)
        if each["read_only"]:
            mount("", target, _BIND | _REMOUNT | _READ_ONLY)
    if spec["read_only"]:
        mount("", root, _BIND | _REMOUNT | _READ_ONLY)
    os.chroot(root)
    os.chdir(spec["folder"])
    if spec["uid"]:
        os.setgroups([])
        os.setgid(spec["uid"])
        os.setuid(spec["uid"])
        _LIBC.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    os.execvp(spec["words"][0], spec["words"])


main()
