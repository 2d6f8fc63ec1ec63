"""How many cores `workers: auto` finds, under the quotas of both versions of cgroups."""

import os
from pathlib import Path

import pytest

from gateway.fleet.cores import MOST, cores


@pytest.fixture(autouse=True)
def eight(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(8)))


def put(root: Path, place: str, text: str) -> None:
    path = root / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_without_a_quota_all_that_it_may_be_scheduled_on(tmp_path: Path) -> None:
    assert cores(tmp_path) == 8
    put(tmp_path, "sys/fs/cgroup/cpu.max", "max 100000\n")
    put(tmp_path, "sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n")
    put(tmp_path, "sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n")
    assert cores(tmp_path) == 8


@pytest.mark.parametrize(
    ("quota", "expected"), [("200000 100000", 2), ("150000 100000", 2), ("10000 100000", 1)]
)
def test_a_containers_quota_counts_and_a_part_of_a_core_is_one(
    tmp_path: Path, quota: str, expected: int
) -> None:
    put(tmp_path, "sys/fs/cgroup/cpu.max", quota)
    assert cores(tmp_path) == expected


def test_the_narrowest_of_the_groups_around_it_counts(tmp_path: Path) -> None:
    put(tmp_path, "proc/self/cgroup", "1:name=x:/elsewhere\n0::/pods/one\n")
    put(tmp_path, "sys/fs/cgroup/pods/cpu.max", "300000 100000")
    put(tmp_path, "sys/fs/cgroup/pods/one/cpu.max", "max 100000")
    assert cores(tmp_path) == 3


@pytest.mark.parametrize("folder", ["cpu", "cpu,cpuacct"])
def test_the_first_version_of_cgroups_has_quotas_too(tmp_path: Path, folder: str) -> None:
    put(tmp_path, f"sys/fs/cgroup/{folder}/cpu.cfs_quota_us", "400000\n")
    put(tmp_path, f"sys/fs/cgroup/{folder}/cpu.cfs_period_us", "100000\n")
    assert cores(tmp_path) == 4


@pytest.mark.parametrize("text", ["", "garbage", "100000 0", "1 2 3"])
def test_what_cant_be_read_is_no_quota(tmp_path: Path, text: str) -> None:
    put(tmp_path, "sys/fs/cgroup/cpu.max", text)
    assert cores(tmp_path) == 8


def test_there_is_a_most(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(500)))
    assert cores(tmp_path) == MOST
