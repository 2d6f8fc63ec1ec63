"""Who scrapes gets the format that it likes best."""

import pytest

from gateway.telemetry.exposition import Format, choose

PROTOBUF = (
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
)
OPENMETRICS = "application/openmetrics-text;version=1.0.0"


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("", Format.TEXT),
        ("*/*", Format.TEXT),
        ("text/html, application/xhtml+xml;q=0.9, */*;q=0.8", Format.TEXT),
        ("text/plain;version=0.0.4;q=0.5,*/*;q=0.1", Format.TEXT),
        (f"{OPENMETRICS},text/plain;version=0.0.4;q=0.5", Format.OPENMETRICS),
        ("application/openmetrics-text", Format.OPENMETRICS),
        (f"text/plain , {OPENMETRICS} ; q=0.5", Format.TEXT),
        ("application/openmetrics-text;version=2.0.0", Format.TEXT),
        ("application/openmetrics-text;version=0.0.1;q=0.75,*/*;q=0.1", Format.TEXT),
        # Prometheus with --enable-feature=native-histograms
        (f"{PROTOBUF},{OPENMETRICS};q=0.8,text/plain;version=0.0.4;q=0.5", Format.PROTOBUF),
        (PROTOBUF.replace("delimited", "text"), Format.TEXT),
        (PROTOBUF.replace("io.prometheus.client.MetricFamily", "other"), Format.TEXT),
        (f"{PROTOBUF};q=0, {OPENMETRICS};q=0.1", Format.OPENMETRICS),
        (f"{OPENMETRICS};q=canary", Format.TEXT),
        (";;,=;q", Format.TEXT),
    ],
)  # fmt: skip
def test_the_format_follows_the_accept_value(accept: str, chosen: Format) -> None:
    assert choose(accept) is chosen
