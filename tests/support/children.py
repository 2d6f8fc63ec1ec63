"""The child processes of a gateway, or of this process, wherever they were forked."""

from pathlib import Path

_ZYGOTE = b"gateway.zygote"


def command_line(pid: int) -> bytes:
    """Its words; nothing where it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").strip()
    except OSError:
        return b""


def children(pid: int, containing: str = "") -> list[int]:
    """Those of it and of its zygote whose command line contains a text, but for the zygote."""
    found: list[int] = []
    for each in _listed(pid):
        if _ZYGOTE in command_line(each):
            found += _listed(each)
        else:
            found.append(each)
    return [each for each in found if containing.encode() in command_line(each)]


def zygotes(pid: int) -> list[int]:
    """What a process has its children forked from."""
    return [each for each in _listed(pid) if _ZYGOTE in command_line(each)]


def _listed(pid: int) -> list[int]:
    try:
        return [*map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]
    except OSError:
        return []
