"""Every setting, put together."""

import dataclasses

import pytest

from gateway.config import Config
from gateway.proxy.settings import Address
from tests.config.conftest import MINIMAL, Faults, Loaded


def test_ten_lines_are_enough(loaded: Loaded) -> None:
    config = loaded()
    assert config.listen == Address("0.0.0.0", 8080)
    assert config.admin == Address("127.0.0.1", 8282)
    assert config.upstream.url == "http://127.0.0.1:3000"
    assert config.log_level == "info"
    assert [endpoint.name for endpoint in config.endpoints] == ["orders"]
    assert config.endpoints[0].limits.body == 2 * 2**30


def test_the_admin_port_is_not_open_to_the_network_by_default() -> None:
    default = {field.name: field.default for field in dataclasses.fields(Config)}["admin"]
    assert str(default).startswith("127.0.0.1:")


def test_both_sides_of_the_proxy_are_one_value(loaded: Loaded) -> None:
    config = loaded(MINIMAL + "client: {drain: 1s}\n")
    assert (config.proxy.listen, config.proxy.upstream) == (config.listen, config.upstream)
    assert config.proxy.client.drain == 1.0


def test_a_configuration_can_not_be_changed(loaded: Loaded) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        loaded().log_level = "debug"  # type: ignore[misc]


def test_a_configuration_names_at_least_one_endpoint(faults: Faults) -> None:
    head = MINIMAL.split("endpoints:")[0]
    assert "at least one endpoint" in faults(head + "endpoints: []\n")[0]
    assert faults(head) == ["gateway.yaml: endpoints: required, but missing"]
