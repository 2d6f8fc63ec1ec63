"""Every format is measured beside the raw pass-through of the same bytes."""

from bench.formats import grown
from gateway.inspection.formats import FORMATS
from gateway.model import Format


def test_no_format_is_left_out_but_the_single_message() -> None:
    """`eml`: one record that is the whole body, and does not grow. `mbox` is many of them."""
    measured = {spec["format"] for _, _, _, spec, _, _ in grown()}
    assert measured == {each.value for each in FORMATS} - {Format.EML.value}
