"""What each of several processes gets."""

from pathlib import Path

import pytest

from gateway.config import Config, load
from gateway.fleet.portions import portion
from tests.e2e.conftest import endpoints
from tests.support.gateway import configuration
from tests.support.issuer import TestIssuer


@pytest.fixture
def config(tmp_path: Path) -> Config:
    path = configuration(
        tmp_path, TestIssuer(), "http://127.0.0.1:9", endpoints(), policy={"workers": 3}
    )
    return load(path, {})


def test_one_process_gets_everything(config: Config) -> None:
    assert portion(config, 1) == config


@pytest.mark.parametrize("processes", [2, 3, 7])
def test_what_is_bounded_stays_within_its_bound(config: Config, processes: int) -> None:
    part = portion(config, processes)
    for of_all, of_one in (
        (config.client.connections, part.client.connections),
        (config.client.exchanges, part.client.exchanges),
        (config.upstream.connections, part.upstream.connections),
        (config.decision_log.queue, part.decision_log.queue),
    ):
        assert 0 < of_one * processes <= of_all < (of_one + 1) * processes


def test_every_process_has_something_of_everything(config: Config) -> None:
    part = portion(config, 64)
    assert (part.inspection.workers, part.policy.workers) == (1, 1)
    assert portion(portion(config, 1000), 1000).client.exchanges == 1


def test_what_the_processes_share_is_whole(config: Config) -> None:
    part = portion(config, 4)
    assert part.spool == config.spool
    assert part.endpoints == config.endpoints
    assert part.decision_log.file == config.decision_log.file
