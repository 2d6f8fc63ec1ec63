"""Prometheus's own schema of its protobuf format, from github.com/prometheus/client_model v0.6.2
(Apache-2.0, see NOTICE): `metrics.proto`, and what protoc makes of it:

    python -m grpc_tools.protoc -I. --include_imports --descriptor_set_out=metrics.binpb metrics.proto
"""  # noqa: E501

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, timestamp_pb2

_POOL = descriptor_pool.DescriptorPool()
for _file in descriptor_pb2.FileDescriptorSet.FromString(
    Path(__file__).with_name("metrics.binpb").read_bytes()
).file:
    _POOL.Add(_file)
assert timestamp_pb2  # which the schema imports

MetricFamily: Any = message_factory.GetMessageClass(
    _POOL.FindMessageTypeByName("io.prometheus.client.MetricFamily")
)


def read(scrape: bytes) -> Iterator[Any]:
    """The families of a length-delimited scrape."""
    at = 0
    while at < len(scrape):
        length = shift = 0
        while True:
            byte, at = scrape[at], at + 1
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        assert at + length <= len(scrape)
        yield MetricFamily.FromString(scrape[at : at + length])
        at += length
