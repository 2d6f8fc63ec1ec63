"""How long a start takes: until the gateway has proven itself, and no sooner."""

import json
import os
from pathlib import Path

import pytest

from bench import startup
from bench.guarded import gateway_config, token_and_keys
from bench.servers import free_port


def test_a_start_is_measured_until_it_is_ready() -> None:
    found = startup.measure(starts=1)
    assert found["starts"] == 1
    assert 0 < found["seconds"] == found["slowest"]
    assert found["processor"] > 0


def test_one_that_ends_is_no_start(tmp_path: Path) -> None:
    token_and_keys(tmp_path)
    config = gateway_config(tmp_path, free_port(), free_port(), free_port())
    (tmp_path / "jwks.json").unlink()
    file = tmp_path / "gateway.yaml"
    file.write_text(json.dumps(config))
    with pytest.raises(TimeoutError):
        startup.start(file, str(config["admin"]), os.environ)
