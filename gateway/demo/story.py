"""The five scenes, told in plain words, and the table at the end."""

import asyncio
import hashlib
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import ClientSession
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.table import Table

from gateway.decisionlog.file import anchor_path
from gateway.decisionlog.key import read_key
from gateway.decisionlog.verify import verify
from gateway.demo.archives import ANNA, BEN, RECORDINGS, write_all
from gateway.demo.world import RunningGateway, World, running

console = Console(highlight=False)

_METRICS = (
    "privacy_gateway_exchanges_total",
    "privacy_gateway_records_total",
    "privacy_gateway_uninspected_bytes_total",
    "privacy_gateway_spool_bytes",
    "privacy_gateway_ready",
)


class DemoFailed(Exception):
    """A scene did not end as the story says."""


@dataclass(frozen=True, slots=True)
class Received:
    """What a requester got."""

    status: int
    size: int
    digest: str


def run(serve: bool = False) -> int:
    """Play the story. Returns 0, or 1 where a scene did not end as it must."""
    with tempfile.TemporaryDirectory(prefix="privacy-gateway-demo-") as name:
        try:
            asyncio.run(_play(Path(name), serve))
        except DemoFailed as failure:
            console.print(f"[bold red]The demo failed:[/] {failure}")
            return 1
        except KeyboardInterrupt:
            console.print("\nStopped.")
    return 0


async def _play(folder: Path, serve: bool) -> None:
    console.rule("[bold]The privacy gateway: 2018, happening and not happening")
    console.print(
        "In December 2018 a man asked Amazon for his data, and got 1,700 voice recordings of a "
        "stranger. Here are such a service, two customers, and a gateway between them.\n"
    )
    _prepare(folder)
    console.print("Starting the export service, the issuer and two gateways on loopback ...\n")
    async with running(folder) as world, ClientSession() as session:
        rows = [
            await _anna(world, session),
            await _ben_blocked(world, session),
            await _ben_redacted(world, session),
            *await _bad_tokens(world, session),
            await _dead_engine(world, session),
        ]
        _summary(rows)
        _log(world)
        await _metrics(world.redacting, session)
        if serve:
            await _serve(world)


def _prepare(folder: Path) -> None:
    with _bar("{task.description} {task.completed:.0f} of {task.total:.0f}") as progress:
        task = progress.add_task("Recording Anna's voice:", total=RECORDINGS + 2)
        for _ in write_all(folder):
            progress.advance(task)


async def _anna(world: World, session: ClientSession) -> tuple[str, ...]:
    _scene("a", "Anna asks for her archive.")
    got = await _download(session, world.blocking, "41", world.issuer.token(ANNA), world.folder)
    original = hashlib.sha256((world.folder / "anna.zip").read_bytes()).hexdigest()
    _expect(
        got.status == 200 and got.digest == original,
        f"Anna did not get her archive whole ({got.status})",
    )
    console.print(f"   Released: {got.size / 1e6:.0f} MB, byte for byte what the service sent.\n")
    return "Anna, her own archive", "released", "all", f"{got.status}", f"{got.size:,}"


async def _ben_blocked(world: World, session: ClientSession) -> tuple[str, ...]:
    _scene("b", "Ben asks for his. The service makes its human error and sends hers along.")
    world.service.error = True
    got = await _download(session, world.blocking, "42", world.issuer.token(BEN), world.folder)
    _expect(got.status == 403, f"Ben was answered {got.status}, not 403")
    _expect(not _is_zip(world.folder / "received"), "bytes of the archive reached Ben")
    console.print("   Blocked: 403. Not one byte of the archive left the gateway.\n")
    return "Ben, hers mixed in", "blocked", "none", f"{got.status}", "0"


async def _ben_redacted(world: World, session: ClientSession) -> tuple[str, ...]:
    _scene("c", "The same, where the policy redacts instead of blocking.")
    got = await _download(session, world.redacting, "42", world.issuer.token(BEN), world.folder)
    _expect(got.status == 200, f"Ben was answered {got.status}, not 200")
    with (
        zipfile.ZipFile(world.folder / "received") as kept,
        zipfile.ZipFile(world.folder / "ben.zip") as his,
    ):
        _expect(kept.testzip() is None, "Python finds the archive damaged")
        same = [(entry.filename, entry.CRC) for entry in kept.infolist()]
        _expect(
            same == [(entry.filename, entry.CRC) for entry in his.infolist()],
            "Ben did not get exactly his own files",
        )
    tested = "Python"
    if unzip := shutil.which("unzip"):
        result = subprocess.run(
            [unzip, "-tqq", str(world.folder / "received")], capture_output=True, check=False
        )
        _expect(result.returncode == 0, "unzip -t finds the archive damaged")
        tested = "unzip -t and Python"
    console.print(
        f"   Redacted: {len(same)} files, exactly his own; {tested} find the archive sound.\n"
    )
    return "Ben, redacting policy", "redacted", f"his {len(same)} files", "200", f"{got.size:,}"


async def _bad_tokens(world: World, session: ClientSession) -> list[tuple[str, ...]]:
    _scene("d", "Two tokens that are none: one has expired, one is forged.")
    rows: list[tuple[str, ...]] = []
    asked = world.service.asked
    for name, token in (
        ("An expired token", world.issuer.token(ANNA, lifetime=-3_600)),
        ("A forged token", world.issuer.token(ANNA, forged=True)),
    ):
        got = await _download(session, world.blocking, "41", token, world.folder)
        _expect(got.status == 401, f"{name} was answered {got.status}, not 401")
        rows.append((name, "refused", "none", "401", "0"))
    _expect(world.service.asked == asked, "the service was asked with a bad token")
    console.print("   Refused: 401 both, and the service was never asked.\n")
    return rows


async def _dead_engine(world: World, session: ClientSession) -> tuple[str, ...]:
    _scene("e", "Anna asks again, and the policy engine dies.")
    world.blocking.freeze_policy()
    got = await _download(session, world.blocking, "41", world.issuer.token(ANNA), world.folder)
    _expect(got.status == 503, f"with a dead engine Anna was answered {got.status}, not 503")
    _expect(not _is_zip(world.folder / "received"), "bytes left without a decision")
    console.print("   Refused: 503. No decision, no data. The gateway starts a new engine itself:")
    got = await _download(session, world.blocking, "41", world.issuer.token(ANNA), world.folder)
    _expect(got.status == 200, f"the engine did not come back: {got.status}")
    console.print("   and Anna's next try is released.\n")
    return "Anna, policy engine dead", "refused", "none", "503", "0"


async def _download(
    session: ClientSession, gateway: RunningGateway, request: str, token: str, folder: Path
) -> Received:
    headers = {"Authorization": f"Bearer {token}"}
    url = f"{gateway.url}/exports/{request}/archive"
    digest, size = hashlib.sha256(), 0
    with _bar("   waiting for the verdict, then {task.description}", transfer=True) as progress:
        task = progress.add_task("receiving", total=None)
        async with session.get(url, headers=headers) as answer:
            progress.update(task, total=answer.content_length)
            with (folder / "received").open("wb") as file:
                async for chunk in answer.content.iter_any():
                    file.write(chunk)
                    digest.update(chunk)
                    size += len(chunk)
                    progress.advance(task, len(chunk))
            return Received(answer.status, size, digest.hexdigest())


def _summary(rows: list[tuple[str, ...]]) -> None:
    table = Table(title="What left the gateway", title_justify="left")
    for heading in ("who, and what", "outcome", "got", "status"):
        table.add_column(heading)
    table.add_column("bytes of data", justify="right")
    colours = {"released": "green", "redacted": "yellow", "blocked": "red", "refused": "red"}
    for who, outcome, what, status, size in rows:
        table.add_row(who, f"[{colours[outcome]}]{outcome}[/]", what, status, size)
    console.print(table)


def _log(world: World) -> None:
    for gateway in (world.blocking, world.redacting):
        found = verify(gateway.log, anchor=anchor_path(gateway.log), key=read_key(gateway.key))
        _expect(found.problem is None, f"the decision log is damaged: {found.report}")
        canaries = (ANNA.encode(), BEN.encode())
        text = gateway.log.read_bytes()
        _expect(not any(each in text for each in canaries), "the log names a person")
        console.print(f"Decision log verified: {found.entries} entries, unbroken, nobody named.")
    console.print()


async def _metrics(gateway: RunningGateway, session: ClientSession) -> None:
    async with session.get(f"{gateway.admin}/metrics") as answer:
        lines = (await answer.text()).splitlines()
    console.print("What an SRE sees of the redacting gateway:", style="bold")
    for line in lines:
        if line.startswith(_METRICS) and "self-proof" not in line:
            console.print(f"  {line}", style="dim", markup=False, soft_wrap=True)
    console.print()


async def _serve(world: World) -> None:
    console.rule("Left running; Ctrl-C ends it")
    for title, gateway, request, customer in (
        ("Anna, her own archive", world.blocking, "41", ANNA),
        ("Ben, hers mixed in", world.blocking, "42", BEN),
        ("Ben, redacted", world.redacting, "42", BEN),
    ):
        console.print(f"\n# {title}", style="bold")
        console.print(
            f"curl -sS -o archive.zip -w '%{{http_code}} %{{size_download}} bytes\\n' "
            f"-H 'Authorization: Bearer {world.issuer.token(customer)}' "
            f"{gateway.url}/exports/{request}/archive",
            soft_wrap=True,
            markup=False,
        )
    console.print("\n# metrics and readiness", style="bold")
    console.print(f"curl -s {world.blocking.admin}/metrics; curl -s {world.blocking.admin}/readyz")
    await asyncio.Event().wait()


@contextmanager
def _bar(text: str, transfer: bool = False) -> Iterator[Progress]:
    columns = [TextColumn(text), BarColumn()]
    extra = [DownloadColumn(), TransferSpeedColumn()] if transfer else []
    quiet = not console.is_terminal
    with Progress(*columns, *extra, console=console, transient=True, disable=quiet) as progress:
        yield progress


def _scene(letter: str, text: str) -> None:
    console.print(f"[bold]({letter})[/] {text}")


def _expect(holds: bool, otherwise: str) -> None:
    if not holds:
        raise DemoFailed(otherwise)


def _is_zip(path: Path) -> bool:
    return path.read_bytes()[:2] == b"PK"
