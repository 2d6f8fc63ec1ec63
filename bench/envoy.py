"""The configuration of the Envoy peers: one listener, one cluster, perhaps a Lua body filter."""

from typing import Any

_TYPE = "type.googleapis.com/envoy.extensions"
_BUFFER = 1 << 30
"""Bytes that it may hold of one body: the filter reads whole ones."""


def configuration(port: int, upstream: int, script: str) -> dict[str, Any]:
    """What Envoy reads as its bootstrap."""
    lua = {
        "name": "lua",
        "typed_config": {
            "@type": f"{_TYPE}.filters.http.lua.v3.Lua",
            "default_source_code": {"inline_string": script},
        },
    }
    router = {
        "name": "router",
        "typed_config": {"@type": f"{_TYPE}.filters.http.router.v3.Router"},
    }
    manager = {
        "@type": f"{_TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "bench",
        "route_config": {
            "virtual_hosts": [
                {
                    "name": "all",
                    "domains": ["*"],
                    "routes": [
                        {"match": {"prefix": "/"}, "route": {"cluster": "origin", "timeout": "0s"}}
                    ],
                }
            ]
        },
        "http_filters": [lua, router] if script else [router],
    }
    listener = {
        "name": "data",
        "address": _address(port),
        "per_connection_buffer_limit_bytes": _BUFFER if script else 1 << 20,
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }
    endpoint = {"endpoint": {"address": _address(upstream)}}
    cluster = {
        "name": "origin",
        "connect_timeout": "5s",
        "per_connection_buffer_limit_bytes": 1 << 20,
        "load_assignment": {"cluster_name": "origin", "endpoints": [{"lb_endpoints": [endpoint]}]},
    }
    return {"static_resources": {"listeners": [listener], "clusters": [cluster]}}


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}
