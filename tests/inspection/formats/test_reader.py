"""Every row of the table keeps what `Reader` promises to the rest of the gateway."""

import re

import pytest

from gateway.inspection.formats import FORMATS, Reader
from gateway.inspection.locators import LocatorError
from gateway.inspection.settings import BodySpec, MemberSpec
from gateway.model import Format

LOCATORS = {
    Format.XML: ("customer/@id", "customer//id"),
    Format.FHIR: ("Patient", "$.subject"),
    Format.MT940: (":25:", ":20:"),
    Format.OFX: ("BANKACCTFROM/ACCTID", "ACCTID/"),
    Format.OPAQUE: ("pdf:Subject", "pdf:/Subject"),
}
"""A good one and a bad one, where they are not those of all others."""
EACH = pytest.mark.parametrize("reader", FORMATS.values(), ids=map(str, FORMATS))


def test_every_format_has_a_row() -> None:
    assert {*Format} == {*FORMATS}


def test_no_two_formats_share_the_first_media_type() -> None:
    first = [reader.media_types[0] for reader in FORMATS.values()]
    assert len({*first}) == len(first)


@EACH
def test_settings_are_keys_that_there_are(reader: Reader) -> None:
    known = {*BodySpec.__dataclass_fields__, *MemberSpec.__dataclass_fields__}
    assert reader.settings <= known


@EACH
def test_what_may_vouch_has_records_with_owners(reader: Reader) -> None:
    assert (reader.vouching is not None) == ("vouches_for" in reader.settings)


@pytest.mark.parametrize("form", FORMATS, ids=str)
def test_a_locator_is_compiled_or_refused_by_name(form: Format) -> None:
    good, bad = LOCATORS.get(form, ("$.id", "$.["))
    assert FORMATS[form].locator(good)
    with pytest.raises(LocatorError, match=re.escape(repr(bad))):
        FORMATS[form].locator(bad)
