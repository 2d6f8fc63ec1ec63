"""What the gateway's processes take."""

import os
import subprocess
import sys
from pathlib import Path

from gateway.telemetry.catalogue import CHILD_CPU, CHILD_MEMORY, CHILD_PROCESSES, PROCESS
from gateway.telemetry.metric import Metric
from gateway.telemetry.parts import Parts, main_process


def shown(parts: Parts, metric: Metric) -> dict[str, float]:
    return {each.labels[0]: each.value for each in parts.readings() if each.metric is metric}


def stat(proc: Path, pid: int, *, started: int, ticks: int, pages: int) -> None:
    fields = ["S", *["0"] * 49]
    fields[11], fields[12], fields[19], fields[21] = str(ticks), "0", str(started), str(pages)
    (proc / str(pid)).mkdir(exist_ok=True)
    (proc / str(pid) / "stat").write_text(f"{pid} (odd) name (x) {' '.join(fields)}")


def test_a_real_child_is_shown_with_its_memory() -> None:
    code = "import sys; x = b'x' * 50_000_000; print(flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout and child.stdout.readline()
        parts = Parts({"policy": lambda: (child.pid,), "log": lambda: ()})
        assert shown(parts, CHILD_PROCESSES) == {"policy": 1, "log": 0}
        assert 50_000_000 < shown(parts, CHILD_MEMORY)["policy"] < 500_000_000
        assert shown(parts, CHILD_CPU)["policy"] < 60
    assert shown(parts, CHILD_PROCESSES)["policy"] == 0


def test_cpu_time_does_not_fall_when_a_child_dies_or_its_number_is_used_again(
    tmp_path: Path,
) -> None:
    tick = os.sysconf("SC_CLK_TCK")
    pids = [7, 8]
    parts = Parts({"policy": lambda: pids}, tmp_path)
    stat(tmp_path, 7, started=1, ticks=10 * tick, pages=3)
    stat(tmp_path, 8, started=1, ticks=tick, pages=4)
    assert shown(parts, CHILD_CPU) == {"policy": 11}
    assert shown(parts, CHILD_MEMORY) == {"policy": 7 * os.sysconf("SC_PAGE_SIZE")}
    stat(tmp_path, 7, started=2, ticks=2 * tick, pages=3)
    assert shown(parts, CHILD_CPU) == {"policy": 13}
    pids.remove(8)
    pids.append(9)  # gone before anybody looked
    assert shown(parts, CHILD_CPU) == {"policy": 13}
    assert shown(parts, CHILD_PROCESSES) == {"policy": 1}


def test_a_child_that_was_seen_before_it_ended_counts_though_no_scrape_found_it(
    tmp_path: Path,
) -> None:
    tick = os.sysconf("SC_CLK_TCK")
    pids = [7]
    parts = Parts({"inspection": lambda: pids}, tmp_path)
    stat(tmp_path, 7, started=1, ticks=3 * tick, pages=2)
    assert parts.see("inspection") == (1, 2 * os.sysconf("SC_PAGE_SIZE"))
    pids.clear()
    assert shown(parts, CHILD_CPU) == {"inspection": 3}
    assert shown(parts, CHILD_PROCESSES) == {"inspection": 0}


def test_cpu_time_is_not_counted_twice_when_a_child_could_not_be_looked_at_for_once(
    tmp_path: Path,
) -> None:
    """As when the gateway has no descriptor left."""
    tick = os.sysconf("SC_CLK_TCK")
    parts = Parts({"policy": lambda: (7,)}, tmp_path)
    stat(tmp_path, 7, started=1, ticks=10 * tick, pages=3)
    assert shown(parts, CHILD_CPU) == {"policy": 10}
    (tmp_path / "7" / "stat").unlink()
    assert shown(parts, CHILD_CPU) == {"policy": 10}
    stat(tmp_path, 7, started=1, ticks=11 * tick, pages=3)
    assert shown(parts, CHILD_CPU) == {"policy": 11}


def test_the_main_process_is_shown_by_the_usual_names() -> None:
    seen = {each.metric.name: each.value for each in main_process()}
    assert seen.keys() == {metric.name for metric in PROCESS}
    assert seen["process_resident_memory_bytes"] > 1_000_000
