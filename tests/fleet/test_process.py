"""A serving process, talked to as the main process does."""

import asyncio
import os
import socket
from dataclasses import replace
from pathlib import Path

from gateway.child import Child
from gateway.config import load
from gateway.fleet import messages
from gateway.fleet.messages import Report, Setup, Unfit, Unlinked
from tests.e2e.conftest import endpoints
from tests.support.gateway import configuration
from tests.support.issuer import TestIssuer


async def reports(child: Child, setup: Setup, heard: "asyncio.Queue[bytes]") -> Report:
    ledger = os.memfd_create("test")
    os.ftruncate(ledger, 8 * setup.processes)
    with socket.socket() as port:
        child.send_with((ledger, port.fileno()), messages.frame(messages.begin(setup, 1)))
    os.close(ledger)
    return messages.read_report(await heard.get())


def setup_of(folder: Path) -> Setup:
    path = configuration(folder, TestIssuer(), "http://127.0.0.1:9", endpoints())
    return Setup(load(path, {}), "id", 0, 1, {})


async def test_it_asks_for_the_log_first_and_ends_with_the_main_process(tmp_path: Path) -> None:
    heard: asyncio.Queue[bytes] = asyncio.Queue()
    lost = asyncio.Event()
    child = Child("gateway.fleet.process", heard=heard.put_nowait, lost=lost.set)
    assert await reports(child, setup_of(tmp_path), heard) == Unlinked()
    pid = child.pid
    child.end()
    while Path(f"/proc/{pid}").exists():  # until the zygote has reaped it
        await asyncio.sleep(0)


async def test_a_start_that_fails_is_one_sentence_and_its_end(tmp_path: Path) -> None:
    heard: asyncio.Queue[bytes] = asyncio.Queue()
    lost = asyncio.Event()
    setup = setup_of(tmp_path)
    absent = replace(setup.config.decision_log, pseudonym_key_file=tmp_path / "absent")
    broken = replace(setup, config=replace(setup.config, decision_log=absent))
    child = Child("gateway.fleet.process", heard=heard.put_nowait, lost=lost.set)
    report = await reports(child, broken, heard)
    assert isinstance(report, Unfit)
    assert "No such file or directory" in report.reason
    await lost.wait()


async def test_a_stop_ends_a_start_that_waits(tmp_path: Path) -> None:
    heard: asyncio.Queue[bytes] = asyncio.Queue()
    lost = asyncio.Event()
    child = Child("gateway.fleet.process", heard=heard.put_nowait, lost=lost.set)
    assert await reports(child, setup_of(tmp_path), heard) == Unlinked()  # and waits for it
    child.send(messages.frame(messages.Stop()))
    await lost.wait()
