"""The process that serves: as somebody types it, and what is not in it."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.cli import serving
from gateway.config import Config
from tests.conftest import REPOSITORY

TOO_MUCH = ("pydantic", "pydantic_core", "ruamel", "typer", "rich")


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Type `run`, without any child."""
    monkeypatch.setattr(serving, "begin_certain", lambda: None)
    monkeypatch.setattr(serving, "begin_others", lambda _: None)

    def typed(*arguments: str | Path) -> int:
        monkeypatch.setattr(sys, "argv", ["x", "run", *map(str, arguments)])
        return serving.serve()

    return typed


@pytest.mark.parametrize("code", [0, 1])
def test_the_configuration_is_handed_to_the_gateway(
    config: Path, served: Callable[..., int], monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    from gateway import life

    begun: list[Config | str] = []
    monkeypatch.setattr(serving, "begin_certain", lambda: begun.append("certain"))
    monkeypatch.setattr(serving, "begin_others", begun.append)
    handed: list[Config] = []
    monkeypatch.setattr(life, "run", lambda settings: (handed.append(settings), code)[1])
    assert served("--config", config) == code
    assert [settings.endpoints[0].name for settings in handed] == ["orders"]
    assert begun == ["certain", *handed]


def test_a_reader_of_the_configuration_that_is_killed_is_told_of(
    config: Path,
    served: Callable[..., int],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(serving, "_understood", lambda: os.kill(os.getpid(), signal.SIGKILL))
    assert served("--config", config) == 1
    said = "the process that reads the configuration was killed by signal 9\n"
    assert capfd.readouterr() == ("", said)


def test_whoever_starts_it_may_ignore_the_end_of_children(tmp_path: Path) -> None:
    """That survives exec, and the kernel would have forgotten them."""
    faulty = tmp_path / "faulty.yaml"
    faulty.write_text("{}")
    ignoring = "import os, signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN); "
    command = "os.execv(sys.executable, [sys.executable, '-m', 'gateway', 'run', *sys.argv[1:]])"
    done = subprocess.run(
        [sys.executable, "-c", ignoring + command, "--config", str(faulty)],
        capture_output=True, text=True, cwd=REPOSITORY, check=False, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert "upstream: required, but missing" in done.stderr
    assert "No child" not in done.stderr


def test_the_first_process_of_a_container_can_be_ended_before_it_serves(
    config: Path, served: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel gives it no signal that it has no handler for."""
    before = signal.getsignal(signal.SIGTERM)
    pid, left = os.getpid, []

    def reading() -> bytes:
        raise SystemExit

    monkeypatch.setattr(serving, "_understood", reading)
    try:
        assert served("--config", config) == 1
        assert signal.getsignal(signal.SIGTERM) is before
        monkeypatch.setattr(os, "getpid", lambda: 1)
        monkeypatch.setattr(
            serving, "begin_certain", lambda: monkeypatch.setattr(os, "getpid", pid)
        )
        assert served("--config", config) == 1
        monkeypatch.setattr(os, "_exit", left.append)
        os.kill(pid(), signal.SIGTERM)
        assert left == [143]
    finally:
        signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize(
    ("arguments", "said", "code"),
    [
        (("--config", "{}"), "upstream: required, but missing", 2),
        ((), "privacy-gateway run: Missing option '--config' / '-c'.", 2),
        (("--confg", "x"), "No such option: --confg", 2),
        (("--help",), "until SIGTERM or SIGINT", 0),
    ],
)
def test_nothing_starts_where_there_is_no_configuration(
    served: Callable[..., int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    said: str,
    code: int,
) -> None:
    from gateway import life

    monkeypatch.setattr(life, "run", lambda _: pytest.fail("it started"))
    monkeypatch.setattr(serving, "begin_others", lambda _: pytest.fail("its children started"))
    faulty = tmp_path / "faulty.yaml"
    faulty.write_text("{}")
    assert served(*(str(faulty) if each == "{}" else each for each in arguments)) == code
    assert said in "".join(capfd.readouterr())


def test_a_reading_that_fails_otherwise_says_why_and_starts_nothing(
    config: Path,
    served: Callable[..., int],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    from gateway.config import loading

    def broken(*_: object, **__: object) -> Config:
        raise RuntimeError("a bug")

    monkeypatch.setattr(loading, "load", broken)
    assert served("--config", config) == 1
    assert "RuntimeError: a bug" in capfd.readouterr().err


@pytest.mark.parametrize("beginning", ["begin_certain", "Apart"])
def test_where_there_is_no_room_for_another_process_that_is_said(
    config: Path,
    served: Callable[..., int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    beginning: str,
) -> None:
    def refused(*_: object) -> None:
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(serving, beginning, refused)
    with pytest.raises(SystemExit) as ended:
        served("--config", config)
    assert ended.value.code == 1
    said = capsys.readouterr().err
    assert said == "no room for another process: Resource temporarily unavailable\n"


def test_an_interrupt_is_130(served: Callable[..., int], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(serving, "begin_certain", interrupted)
    assert served() == 130


def python(code: str, *arguments: str | Path) -> str:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, cwd=REPOSITORY, check=True)
    return done.stdout.decode()


@pytest.mark.parametrize("options", [("run",), ("--", "run")])
def test_a_process_that_serves_has_not_what_the_configuration_took(
    config: Path, options: tuple[str, ...]
) -> None:
    code = (
        "import os, sys\n"
        "from gateway import life\n"
        "from gateway.cli import main\n"
        f"found = lambda _: print(*({TOO_MUCH!r} & sys.modules.keys()), os.getpid()) or 0\n"
        "life.run = found\n"
        "main()\n"
    ).replace(repr(TOO_MUCH), repr(set(TOO_MUCH)))
    assert python(code, *options, "--config", config).split()[:-1] == []


def test_one_of_several_has_not_either() -> None:
    code = f"import sys, gateway.fleet.process; print(*({set(TOO_MUCH)!r} & sys.modules.keys()))"
    assert python(code).split() == []


def test_there_is_no_thread_yet_when_the_reading_is_forked() -> None:
    code = (
        "import os\n"
        "from importlib import import_module\n"
        "from gateway.cli import serving\n"
        "for each in serving._BOTH: import_module(each)\n"
        "print(len(os.listdir('/proc/self/task')))"
    )
    assert python(code) == "1\n"


def test_what_reading_takes_is_imported_once(config: Path) -> None:
    """Or both processes would import it, at the same time."""
    code = (
        "import pickle, sys\n"
        "from importlib import import_module\n"
        "from gateway.cli import serving\n"
        "for each in serving._BOTH: import_module(each)\n"
        "before = set(sys.modules)\n"
        "def find():\n"
        "    serving._understood()\n"
        "    return pickle.dumps(set(sys.modules) - before)\n"
        "theirs = pickle.loads(serving.Apart(find).answer())\n"
        "import gateway.life\n"
        "both = theirs & (set(sys.modules) - before)\n"
        "print(*(each for each in both if each.startswith(('gateway', 'cryptography', 'aiohttp'))))"
    )
    assert len(python(code, "run", "--config", config).split()) < 5
