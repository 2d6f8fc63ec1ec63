"""What sizing measures, and the page that is written from it."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench import simulation
from bench.sizing import FORMATS, RESULTS, SIZES, fill
from bench.sizing_page import BEGIN, DEPLOY, END, PAGE, deploy, page
from bench.watching import processor, spooled, watched

MEASURED = {
    "machine": {"cores": 2, "python": "3.11.7", "system": "Linux x86_64"},
    "memory_idle": 150 * 2**20,
    "memory_after": 160 * 2**20,
    "cells": [
        {
            "format": kind, "size": size, "together": together, "exports": 8, "seconds": 1.0,
            "processor_per_export": size / 1e7 + 0.001, "processor_per_megabyte": 0.1,
            "memory_peak": 170 * 2**20, "spool_peak": size * together,
        }
        for kind in ("json", "ndjson")
        for size in (2_000, 100_000, 10_000_000)
        for together in (1, 8)
        if (size, together) != (2_000, 8)
    ],
}  # fmt: skip


def test_the_page_is_what_was_measured() -> None:
    results, simulated = (json.loads(each.read_text()) for each in (RESULTS, simulation.RESULTS))
    assert PAGE.read_text() == page(results, simulated), "python -m bench.sizing --page"


def test_the_page_on_deployment_has_what_was_measured() -> None:
    written = DEPLOY.read_text()
    assert written == deploy(written, json.loads(RESULTS.read_text())), (
        "python -m bench.sizing --page"
    )


def test_its_part_is_by_size_and_the_rest_is_left_alone() -> None:
    text = deploy(f"before\n\n{BEGIN}\n\nstale\n\n{END}\n\nafter\n", MEASURED)
    assert "| json | 10 MB | 1001 | 170 MiB | 10 MiB |" in text
    assert "100 KB" not in text and "stale" not in text
    assert text.startswith(f"before\n\n{BEGIN}") and text.endswith(f"{END}\n\nafter\n")


def test_every_number_on_the_page_comes_from_the_measurement() -> None:
    text = page(MEASURED, json.loads(simulation.RESULTS.read_text()))
    assert "| json | 100 KB | 11 | 11 | – |" in text
    assert "| json | 2 KB | 1.2 | – | – |" in text
    assert "| json | 10 MB | 1001 | 1001 | 100 |" in text
    assert "| ndjson | 10 MB | 170 MiB + 10 MiB | 170 MiB + 76 MiB |" in text
    # 20 x 11 ms + 0.5 x 1001 ms, half as much again, up to the next 50; 2 x 8 x 10 MB of spool.
    assert "= 0.72 cores; with half as much again" in text and "1100m" in text
    assert "requests: {cpu: 1100m, memory: 400Mi}" in text
    assert "limits: {memory: 416Mi}     # 256 for the processes, 160 for the spool" in text


def test_processor_time_counts_children_alive_and_ended() -> None:
    burn = "import time\nwhile time.process_time() < 0.2: pass"
    code = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {burn!r}])\ninput()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE) as parent:
        ends = time.monotonic() + 30
        while processor(parent.pid) < 0.2:
            assert time.monotonic() < ends
            time.sleep(0.02)  # a bounded poll of another process
        parent.communicate(b"\n")


def test_the_spool_is_the_open_files_without_a_name(tmp_path: Path) -> None:
    before = spooled(os.getpid())
    with (tmp_path / "named").open("wb") as named, (tmp_path / "gone").open("wb") as gone:
        (tmp_path / "gone").unlink()
        for file in (named, gone):
            file.write(b"x" * 5_000)
            file.flush()
        assert spooled(os.getpid()) - before == 5_000


def test_peaks_are_seen_even_if_the_work_is_short() -> None:
    with watched(os.getpid()) as peaks:
        pass
    assert peaks.memory > 2**20


@pytest.mark.parametrize("kind", FORMATS)
def test_a_body_is_about_as_big_as_it_is_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    for name in ("10m", "200m"):
        monkeypatch.delitem(SIZES, name)
    sizes = fill(tmp_path)
    for name, size in SIZES.items():
        assert 0.5 * size < sizes[f"{name}.{kind}"] < 1.5 * size
