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
from functools import cache, lru_cache

from gateway.telemetry.exposition import Family, Kept
from gateway.telemetry.histogram import CLASSIC, SCHEMA, ZERO_THRESHOLD, Exemplar, Histogram
from gateway.telemetry.metric import Kind, Metric

_double = struct.Struct("<d").pack

_TYPES = {Kind.COUNTER: 0, Kind.GAUGE: 1, Kind.HISTOGRAM: 4}
_NUMBERS = {Kind.COUNTER: b"\x1a\x09\x09", Kind.GAUGE: b"\x12\x09\x09"}
"""In a Metric: its counter (field 3) or gauge (2), nine bytes long, and in it value (1), a
double."""


def varint(value: int) -> bytes:
    """An unsigned integer, seven bits a byte."""
    if value < _PAIRS:
        return _LAST[value]
    rest = value // _PAIRS
    return _GOES_ON[value % _PAIRS] + (_LAST[rest] if rest < _PAIRS else varint(rest))


def zigzag(value: int) -> bytes:
    """A signed integer: 0, -1, 1, -2 are 0, 1, 2, 3."""
    return varint(value << 1 if value >= 0 else (-value << 1) - 1)


_PAIRS = 1 << 14
"""What two bytes hold. A scrape has tens of thousands of integers, and looking them up two bytes at
a time is what makes it quick."""
_GOES_ON = [bytes((value & 0x7F | 0x80, value >> 7 | 0x80)) for value in range(_PAIRS)]
_LAST = [bytes((value,)) for value in range(0x80)]
_LAST += [bytes((value & 0x7F | 0x80, value >> 7)) for value in range(0x80, _PAIRS)]
_ZIGZAG = [*_LAST[::2], *reversed(_LAST[1::2])]
"""By the signed integer itself: a list counts from its end for those below 0."""


def _field(number: int, content: bytes) -> bytes:
    """A field that says how long it is: a text or a message."""
    return varint(number << 3 | 2) + varint(len(content)) + content


def _pair(name: str, value: str) -> bytes:
    """A LabelPair; in a Metric and in an Exemplar it is field 1."""
    return _field(1, _field(1, name.encode()) + _field(2, value.encode()))


_TOTALS = b"\x08%b\x11%b"
"""In a Histogram: sample_count (1) and sample_sum (2)."""
_BUCKETS = b"".join(
    b"\x1a%b\x08%b\x11" + _double(bound).replace(b"%", b"%%") + b"%b"
    for bound in (*CLASSIC, math.inf)
)
"""Then bucket (3): its length, cumulative_count (1), upper_bound (2), and an exemplar (3)."""
_BUCKET = 10
"""The length of a bucket without its count and its exemplar."""
_LAYOUT = b"\x28" + zigzag(SCHEMA) + b"\x31" + _double(ZERO_THRESHOLD) + b"\x38"
"""Then schema (5) and zero_threshold (6), and where zero_count (7) begins."""
_EXEMPLAR = b"\x1a%b\x0a\x2c" + _field(1, b"trace_id") + b"\x12\x20%b\x11%b\x1a%b%b"
"""In a Bucket: its length, then label (1) with 32 hex digits, value (2), and timestamp (3)."""
_EXEMPLAR_LENGTH = 57
"""The length of an exemplar without its time."""


class Protobuf:
    """Writes scrapes; keeps what stays the same from one to the next."""

    def __init__(self) -> None:
        self._begun: dict[str, dict[tuple[str, ...], bytes]] = {}
        self._exemplars: Kept[bytes] = Kept(_exemplar)

    def render(self, families: Iterable[Family]) -> bytes:
        return b"".join(map(self._family, families))

    def _family(self, family: Family) -> bytes:
        metric = family.metric
        begun = self._begun.setdefault(metric.name, {})
        parts: list[bytes] = []
        kept = metric.kind is not Kind.GAUGE  # which may have had other labels before
        for labels, value in family.series:
            start = begun.get(labels)
            if start is None:
                content = _labels(metric, labels) + _NUMBERS[metric.kind]
                start = b"\x22" + varint(len(content) + 8) + content
                if kept:
                    begun[labels] = start
            parts += start, _double(value)
        for labels, histogram in family.histograms:
            start = begun.get(labels)
            if start is None:
                start = begun[labels] = _labels(metric, labels)
            exemplars = self._exemplars.of((metric.name, labels), histogram)
            content = _histogram(histogram, exemplars)
            inside = b"\x3a" + varint(len(content))
            parts += (
                b"\x22",
                varint(len(start) + len(inside) + len(content)),
                start,
                inside,
                content,
            )
        if not parts:
            return b""
        head = _field(1, metric.name.encode()) + _field(2, metric.help.encode())
        message = b"".join((head, b"\x18", varint(_TYPES[metric.kind]), *parts))
        return varint(len(message)) + message


def _labels(metric: Metric, labels: tuple[str, ...]) -> bytes:
    names = (label.name for label in metric.labels)
    return b"".join(_pair(*pair) for pair in sorted(zip(names, labels, strict=True)))


def _histogram(histogram: Histogram, exemplars: Iterable[tuple[int, bytes]]) -> bytes:
    buckets, native = histogram.both()
    numbers: list[bytes] = []
    before, number = -1, (b"", b"", b"")
    for count in buckets:
        if count != before:  # often it isn't: nothing is as quick as this, or as slow
            before, written = count, varint(count)
            number = (_LAST[_BUCKET + len(written)], written, b"")
        numbers += number
    for bucket, exemplar in exemplars:
        at = 3 * bucket
        numbers[at] = varint(_BUCKET + len(numbers[at + 1]) + len(exemplar))
        numbers[at + 2] = exemplar
    parts = [
        _TOTALS % (varint(buckets[-1]), _double(histogram.sum)),
        _BUCKETS % tuple(numbers),
        _LAYOUT,
        varint(native.zero),
    ]
    if native.deltas:
        parts += (
            _field(12, b"\x08" + zigzag(native.first) + b"\x10" + varint(len(native.deltas))),
            b"\x68",
            b"\x68".join(_zigzags(native.deltas)),
        )
    return b"".join(parts)


def _zigzags(deltas: tuple[int, ...]) -> Iterable[bytes]:
    """In a Histogram: positive_delta (13)."""
    try:
        return [*map(_ZIGZAG.__getitem__, deltas)]
    except IndexError:
        return map(zigzag, deltas)


def _exemplar(exemplar: Exemplar) -> bytes:
    """Without its time, in milliseconds as Prometheus has it, it would be left out."""
    seconds, milliseconds = divmod(int(exemplar.at * 1000), 1000)
    at = _seconds(seconds) + _nanoseconds(milliseconds)
    return _EXEMPLAR % (
        _LAST[_EXEMPLAR_LENGTH + len(at)],
        exemplar.trace_id.encode(),
        _double(exemplar.seconds),
        _LAST[len(at)],
        at,
    )


@lru_cache(16)
def _seconds(seconds: int) -> bytes:
    return b"\x08" + varint(seconds)


@cache
def _nanoseconds(milliseconds: int) -> bytes:
    return b"\x10" + varint(milliseconds * 1_000_000)
