"""Families → Prometheus's protobuf format: the only one that has native histograms.

Length-delimited `io.prometheus.client.MetricFamily` messages. The few messages that are needed are
written here by hand (ADR 10); a test reads them with the protobuf library and the original schema.
A histogram carries its classic buckets, too, and the exemplars in them.

Source: https://github.com/prometheus/client_model/blob/v0.6.2/io/prometheus/client/metrics.proto,
https://protobuf.dev/programming-guides/encoding/
"""

import math
import struct
from collections.abc import Iterable

from gateway.telemetry.exposition import Family
from gateway.telemetry.histogram import CLASSIC, SCHEMA, ZERO_THRESHOLD, Exemplar, Histogram
from gateway.telemetry.metric import Kind, Metric

_double = struct.Struct("<d").pack

_TYPES = {Kind.COUNTER: 0, Kind.GAUGE: 1, Kind.HISTOGRAM: 4}
_NUMBERS = {Kind.COUNTER: b"\x1a\x09\x09", Kind.GAUGE: b"\x12\x09\x09"}
"""In a Metric: its counter (field 3) or gauge (2), nine bytes long, and in it value (1), a
double."""


def varint(value: int) -> bytes:
    """An unsigned integer, seven bits a byte."""
    if value < 0x80:
        return _BYTES[value]
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def zigzag(value: int) -> bytes:
    """A signed integer: 0, -1, 1, -2 are 0, 1, 2, 3."""
    return varint(value << 1 if value >= 0 else (-value << 1) - 1)


_BYTES = tuple(bytes([value]) for value in range(0x80))


def _field(number: int, content: bytes) -> bytes:
    """A field that says how long it is: a text or a message."""
    return varint(number << 3 | 2) + varint(len(content)) + content


def _pair(name: str, value: str) -> bytes:
    """A LabelPair; in a Metric and in an Exemplar it is field 1."""
    return _field(1, _field(1, name.encode()) + _field(2, value.encode()))


_ENDS = tuple(b"\x11" + _double(bound) for bound in (*CLASSIC, math.inf))
_LAYOUT = b"\x28" + zigzag(SCHEMA) + b"\x31" + _double(ZERO_THRESHOLD)
"""In a Histogram: schema (5) and zero_threshold (6)."""


class Protobuf:
    """Writes scrapes; keeps what stays the same from one to the next."""

    def __init__(self) -> None:
        self._begun: dict[tuple[str, tuple[str, ...]], bytes] = {}

    def render(self, families: Iterable[Family]) -> bytes:
        return b"".join(map(self._family, families))

    def _family(self, family: Family) -> bytes:
        metric, begun = family.metric, self._begun
        parts: list[bytes] = []
        kept = metric.kind is not Kind.GAUGE  # which may have had other labels before
        for labels, value in family.series:
            key = (metric.name, labels)
            start = begun.get(key)
            if start is None:
                content = _labels(metric, labels) + _NUMBERS[metric.kind]
                start = b"\x22" + varint(len(content) + 8) + content
                if kept:
                    begun[key] = start
            parts.append(start + _double(value))
        for labels, histogram in family.histograms:
            key = (metric.name, labels)
            start = begun.get(key)
            if start is None:
                start = begun[key] = _labels(metric, labels)
            parts.append(_field(4, start + _field(7, _histogram(histogram))))
        if not parts:
            return b""
        head = _field(1, metric.name.encode()) + _field(2, metric.help.encode())
        message = b"".join((head, b"\x18", varint(_TYPES[metric.kind]), *parts))
        return varint(len(message)) + message


def _labels(metric: Metric, labels: tuple[str, ...]) -> bytes:
    names = (label.name for label in metric.labels)
    return b"".join(_pair(*pair) for pair in sorted(zip(names, labels, strict=True)))


def _histogram(histogram: Histogram) -> bytes:
    buckets, native, exemplars = histogram.classic(), histogram.native(), histogram.exemplars
    parts = [b"\x08", varint(buckets[-1]), b"\x11", _double(histogram.sum)]
    for number, count in enumerate(buckets):
        exemplar = _exemplar(exemplars[number]) if number in exemplars else b""
        content = b"\x08" + varint(count) + _ENDS[number] + exemplar
        parts += (b"\x1a", varint(len(content)), content)
    parts += (_LAYOUT, b"\x38", varint(native.zero))
    for gap, length in native.spans:
        parts.append(_field(12, b"\x08" + zigzag(gap) + b"\x10" + varint(length)))
    for delta in native.deltas:
        parts += (b"\x68", zigzag(delta))
    return b"".join(parts)


def _exemplar(exemplar: Exemplar) -> bytes:
    """Without its time, Prometheus would leave it out."""
    seconds, rest = divmod(exemplar.at, 1)
    at = b"\x08" + varint(int(seconds)) + b"\x10" + varint(int(rest * 1e9))
    trace = _pair("trace_id", exemplar.trace_id)
    return _field(3, trace + b"\x11" + _double(exemplar.seconds) + _field(3, at))
