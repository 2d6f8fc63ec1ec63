"""Mounted files are read again when they change, and what is unfit changes nothing."""

from pathlib import Path

from gateway.injector.files import Watched


class Use:
    def __init__(self) -> None:
        self.used: list[tuple[bytes, ...]] = []

    def __call__(self, contents: tuple[bytes, ...]) -> None:
        if b"bad" in contents:
            raise ValueError("bad")
        self.used.append(contents)


def mounted(folder: Path, version: str, **files: str) -> tuple[Path, ...]:
    """As the kubelet does it: a folder for each version, and a link that is moved in one step."""
    (folder / version).mkdir()
    for name, content in files.items():
        (folder / version / name).write_text(content)
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(Path("..data") / name)
    (folder / "..tmp").symlink_to(version)
    (folder / "..tmp").rename(folder / "..data")
    return tuple(folder / name for name in files)


def test_contents_are_used_once_and_again_when_they_change(tmp_path: Path) -> None:
    use = Use()
    paths = mounted(tmp_path, "..1", a="1", b="2")
    watched = Watched("x", paths, use)
    assert not watched.current
    watched.look()
    watched.look()
    assert (use.used, watched.current) == ([(b"1", b"2")], True)
    mounted(tmp_path, "..2", a="1", b="3")
    watched.look()
    assert use.used[1:] == [(b"1", b"3")]


def test_what_is_unfit_or_gone_leaves_the_last_good_one(tmp_path: Path) -> None:
    use, path = Use(), tmp_path / "file"
    watched = Watched("x", (path,), use)
    watched.look()
    assert not watched.current
    path.write_text("good")
    watched.look()
    assert watched.current
    path.write_text("bad")
    watched.look()
    assert not watched.current
    path.write_bytes(b"x" * ((1 << 20) + 1))
    watched.look()
    assert not watched.current
    path.write_text("good")
    watched.look()
    assert watched.current
    path.unlink()
    watched.look()
    assert not watched.current
    assert use.used == [(b"good",), (b"good",)]


def test_a_bug_in_the_use_of_a_file_is_a_fault_of_that_content(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("x")
    watched = Watched("x", (path,), lambda _: {}["missing"])
    watched.look()
    assert not watched.current


async def test_it_looks_for_ever(tmp_path: Path) -> None:
    import asyncio

    path, used = tmp_path / "file", asyncio.Event()
    watched = Watched("x", (path,), lambda _: used.set(), period=0.01)
    task = asyncio.create_task(watched.keep())
    path.write_text("late")
    async with asyncio.timeout(10):
        await used.wait()
    task.cancel()
