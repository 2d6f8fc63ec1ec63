"""XML bodies: every unit counted, exactly the permitted ones kept, and one reading for all."""

import gc
import io
import re
import socket
import sys
import tracemalloc
import zipfile
from collections.abc import Iterator
from typing import Any
from xml.dom import minidom
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from gateway.errors import BadUpstream, Code
from gateway.inspection import masking, work, xmlpaths
from gateway.inspection.formats import xml
from gateway.inspection.settings import BodySpec, Limits, MemberSpec
from gateway.inspection.sinks import MemorySink
from gateway.inspection.source import InMemory
from gateway.inspection.work import Task
from gateway.model import Attribution, Counts, Mask, SubjectRef
from gateway.model import Format as Name
from gateway.response import Payload
from tests.support.reading import Cut, Format, permit
from tests.support.zips import DEFLATED, M, archive

XML = Format(xml)
ME, FOREIGN = SubjectRef("account", "me"), SubjectRef("account", "foreign")


def by(*locators: str, records: str = "/export/order", **more: Any) -> BodySpec:
    return BodySpec(Name.XML, records=records, subject=({"account": locators},), **more)


ORDERS = by("customer/@id")


def order(owner: str, rest: str = "") -> bytes:
    return f'<order n="1"><customer id="{owner}"/>{rest}</order>'.encode()


def export(*orders: bytes, before: bytes = b"") -> bytes:
    return b"<export>\n" + before + b"".join(each + b"\n" for each in orders) + b"</export>\n"


def counted(body: bytes, spec: BodySpec) -> dict[tuple[Any, ...], int]:
    """How many units have which owners, however they got them."""
    found: dict[tuple[Any, ...], int] = {}
    for group in XML.inspect(body, spec).groups:
        owners = tuple(owner.value for owner in group.owners)
        found[owners] = found.get(owners, 0) + group.records
    return found


def identifiers(body: bytes) -> list[str]:
    """Whose orders a body holds, for two independent readers."""
    found = [each.get("id", "") for each in ElementTree.fromstring(body).iter("customer")]
    strict = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    assert [e.get("id") for e in etree.fromstring(body, strict).iter("customer")] == found
    dom = minidom.parseString(body)
    assert [e.getAttribute("id") for e in dom.getElementsByTagName("customer")] == found
    return found


# Whose a record is


def test_records_are_counted_by_their_owners() -> None:
    body = export(order("me"), order("foreign"), order("me"), b"<order/>")
    assert XML.owners(body, ORDERS) == {("me",): 2, ("foreign",): 1, (): 1}
    assert XML.inspect(body, ORDERS).fields == ("@n", "customer")


def test_the_whole_document_is_one_record_by_default() -> None:
    spec = BodySpec(Name.XML, subject=({"account": ("@owner",)},))
    assert XML.owners(b'<a owner="me"><b owner="x">text</b></a>', spec) == {("me",): 1}
    assert XML.rewrite(b'<a owner="me"/>', spec, permit(ME)) == (b'<a owner="me"/>', Counts(1, 1))


def test_a_foreign_document_can_not_be_taken_out_of_itself() -> None:
    spec = BodySpec(Name.XML, subject=({"account": ("@owner",)},))
    with pytest.raises(Exception, match="redaction_unsupported"):
        XML.rewrite(b'<a owner="foreign"/>', spec, permit(ME))


@pytest.mark.parametrize(
    ("locator", "record"),
    [
        ("id", "<id>{}</id>"),
        ("@id", None),
        ("a/b/id", "<a><b><id>{}</id></b></a>"),
        ("*/id", "<any><id>{}</id></any>"),
        ("id", "<id><![CDATA[{}]]></id>"),
        ("id", "<other><id>foreign</id></other><id>{}</id>"),
        ("@xml:id", None),
    ],
)
def test_locators_find_elements_and_attributes(locator: str, record: str | None) -> None:
    written = {"me": "me"} if "CDATA" in str(record) else {"me": "m&#101;", "m&e": "m&amp;e"}
    for owner, text in written.items():
        inside = record.format(text) if record else ""
        attribute = "" if record else f' {locator[1:]}="{text}"'
        body = export(f"<order{attribute}>{inside}</order>".encode())
        assert XML.owners(body, by(locator)) == {(owner,): 1}


def test_the_text_of_the_record_itself_may_be_the_identifier() -> None:
    body = b"<ids><id>me</id><id>foreign</id></ids>"
    assert XML.owners(body, by(".", records="/ids/id")) == {("me",): 1, ("foreign",): 1}


def test_two_attributes_are_joined_as_c_cda_writes_them() -> None:
    spec = by("id/@root^@extension")
    body = export(b'<order><id root="1.2" extension="7"/></order>')
    assert XML.owners(body, spec) == {("1.2^7",): 1}
    assert XML.owners(export(b'<order><id root="1.2"/></order>'), spec) == {(): 1}
    two_ways = export(b'<order><id root="1^2" extension="7"/></order>')
    assert XML.refusal(two_ways, spec) is Code.BODY_AMBIGUOUS


def test_several_owners_are_all_owners_and_one_that_is_missing_makes_it_unattributed() -> None:
    spec = by("party/@id")
    two = b'<order><party id="me"/><party id="foreign"/></order>'
    assert XML.owners(export(two), spec) == {("me", "foreign"): 1}
    assert XML.owners(export(two.replace(b' id="me"', b"")), spec) == {(): 1}
    assert XML.owners(export(two.replace(b'"me"', b'""')), spec) == {(): 1}


def test_several_locators_must_agree() -> None:
    spec = by("@id", "owner")
    body = b'<order id="me"><owner>%b</owner></order>'
    assert XML.owners(export(body % b"me"), spec) == {("me",): 1}
    assert XML.refusal(export(body % b"foreign"), spec) is Code.BODY_AMBIGUOUS
    assert XML.owners(export(b'<order id="me"/>'), spec) == {(): 1}


STATEMENT = by("../Acct/Id/IBAN", records="/Document/Stmt/Ntry")


def statements(*owners: str, before: bool = True) -> bytes:
    found = []
    for owner in owners:
        account = f"<Acct><Id><IBAN>{owner}</IBAN></Id><Nm>of {owner}</Nm></Acct>"
        entries = f"<Ntry>1 {owner}</Ntry><Ntry>2 {owner}</Ntry>"
        found.append(f"<Stmt>{account + entries if before else entries + account}</Stmt>")
    return f"<Document>{''.join(found)}</Document>".encode()


def test_an_owner_above_the_records_owns_them_and_the_element_that_names_them() -> None:
    groups = XML.inspect(statements("me", "foreign"), STATEMENT).groups
    found = {(g.owners[0].value, g.attribution): g.records for g in groups}
    assert found == {
        ("me", Attribution.DIRECT): 1,
        ("me", Attribution.CONTAINER): 2,
        ("foreign", Attribution.DIRECT): 1,
        ("foreign", Attribution.CONTAINER): 2,
    }
    kept, counts = XML.rewrite(statements("me", "foreign"), STATEMENT, permit(ME))
    assert kept == statements("me").replace(b"</Document>", b"<Stmt></Stmt></Document>")
    assert counts == Counts(6, 3, 3)


def test_an_owner_behind_their_records_is_ambiguous() -> None:
    assert XML.refusal(statements("me", before=False), STATEMENT) is Code.BODY_AMBIGUOUS
    twice = statements("me").replace(b"</Stmt>", b"<Acct><Id><IBAN>x</IBAN></Id></Acct></Stmt>")
    assert XML.refusal(twice, STATEMENT) is Code.BODY_AMBIGUOUS


def test_two_owners_above_are_both_owners() -> None:
    body = statements("me").replace(b"<Ntry>1", b"<Acct><Id><IBAN>x</IBAN></Id></Acct><Ntry>1")
    assert XML.owners(body, STATEMENT) == {("me",): 1, ("x",): 1, ("me", "x"): 2}


def test_an_attribute_above_may_name_the_owner_and_goes_with_their_records() -> None:
    spec = by("../@holder", records="/export/account/order")
    body = (
        b'<export><account xmlns:p="urn:p" holder="foreign" no="7"><order>f</order></account>'
        b'<account holder="me" no="8"><order>m</order></account></export>'
    )
    assert counted(body, spec) == {("foreign",): 2, ("me",): 2}
    kept, counts = XML.rewrite(body, spec, permit(ME))
    assert kept == (
        b'<export><account xmlns:p="urn:p"></account>'
        b'<account holder="me" no="8"><order>m</order></account></export>'
    )
    assert counts == Counts(4, 2, 2)
    root = by("../@holder")
    body = b'<export holder="foreign"><order/></export>'
    assert counted(body, root) == {("foreign",): 2}
    assert XML.rewrite(body, root, permit(ME))[0] == b"<export></export>"


def test_namespaces_are_those_of_the_configuration_whatever_the_prefix() -> None:
    spec = by(
        "c:customer/@id", records="/d:export/d:order", namespaces={"d": "urn:d", "c": "urn:c"}
    )
    bodies = [
        b'<export xmlns="urn:d"><order><c:customer xmlns:c="urn:c" id="me"/></order></export>',
        b"<d:export xmlns:d='urn:d'><d:order>"
        b"<customer xmlns='urn:c' id='me'/></d:order></d:export>",
    ]
    for body in bodies:
        assert XML.owners(body, spec) == {("me",): 1}
        assert XML.refusal(body, ORDERS) is Code.BODY_AMBIGUOUS
    default = by("customer/@id", namespaces={"": "urn:d"})
    body = bodies[0].replace(b"urn:c", b"urn:d")
    assert XML.owners(body, default) == {("me",): 1}


# A71: what looks the same to some readers


@pytest.mark.parametrize(
    "record",
    [
        b'<order><customer id="me"/><x:customer xmlns:x="urn:x" id="foreign"/></order>',
        b'<order><customer id="me"/><customer xmlns="urn:x" id="foreign"/></order>',
        b'<order><customer id="me"/><Customer id="foreign"/></order>',
        b'<order><customer id="me" ID="foreign"/></order>',
        b'<order><customer id="me" x:id="foreign" xmlns:x="urn:x"/></order>',
        b'<order><customer id="me"><id>foreign</id></customer></order>',
        b'<order><order><customer id="foreign"/></order><customer id="me"/></order>',
        b'<order><a><order><customer id="foreign"/></order></a></order>',
        b'<Order><customer id="foreign"/></Order>',
        b'<order xmlns="urn:x"><customer id="foreign"/></order>',
        b'<x:order xmlns:x="urn:x"/>',
        b'<order><customer id=" me"/></order>',
        b'<order><customer id="me\n"/></order>',
        b'<order><customer id="m&#9;e"/></order>',
        b'<order xmlns:p="urn:p"><a xmlns:p="urn:q"/></order>',
    ],
)
def test_what_readers_could_take_for_the_owner_is_ambiguous(record: bytes) -> None:
    body = export(order("me"), record)
    assert XML.refusal(body, ORDERS) is Code.BODY_AMBIGUOUS
    assert XML.owners(export(order("me"), order("me")), ORDERS) == {("me",): 2}


@pytest.mark.parametrize(
    "record",
    [
        b"<order><id>m<!-- -->e</id></order>",
        b"<order><id>me<!-- --></id></order>",
        b"<order><id>m<![CDATA[e]]></id></order>",
        b"<order><id><![CDATA[m]]>e</id></order>",
        b"<order><id><![CDATA[m]]><![CDATA[e]]></id></order>",
        b"<order><id><![CDATA[]]>me</id></order>",
        b"<order><id>m<?x?>e</id></order>",
        b"<order><id>m<b>e</b></id></order>",
        b"<order><id><b/>me</id></order>",
        b"<order><id> me</id></order>",
        b"<order><id>me\n</id></order>",
        b'<order><id xsi:nil="true" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">me</id>'
        b"</order>",
        b'<order id="foreign"><id>me</id></order>',
        b'<order ID="foreign"><id>me</id></order>',
    ],
)
def test_an_identifier_in_pieces_is_never_read_in_part(record: bytes) -> None:
    """A70, A71."""
    assert XML.refusal(export(record), by("id")) is Code.BODY_AMBIGUOUS
    assert XML.owners(export(b'<order id="me"><id>me</id><a/></order>'), by("id")) == {("me",): 1}


# What is around the records


def test_what_no_locator_names_is_an_unattributed_record_each() -> None:
    stray = b"<made>2026</made><!-- note --><empty/><deep><er>x</er></deep>"
    body = export(order("me"), before=stray + b" some <b/> text\n")
    assert XML.owners(body, ORDERS) == {("me",): 1, (): 6}
    kept, counts = XML.rewrite(body, ORDERS, permit(ME))
    # The text ends where the record begins, and its white space is part of it.
    assert kept == b"<export>\n" + order("me") + b"\n</export>\n"
    assert counts == Counts(7, 1, 6)
    assert XML.owners(kept, ORDERS) == {("me",): 1}
    assert XML.rewrite(body, ORDERS, permit(ME, unattributed=True))[0] == body


def test_text_between_elements_that_go_is_still_one_stray() -> None:
    body = b"<export>a<order><customer id='foreign'/></order>b</export>"
    kept, counts = XML.rewrite(body, ORDERS, permit(ME, unattributed=True))
    assert (kept, counts) == (b"<export>ab</export>", Counts(2, 1, 1))
    assert XML.owners(kept, ORDERS) == {(): 1}


def test_comments_before_and_behind_the_root_are_strays_and_its_attributes_are_not() -> None:
    body = b'<?xml version="1.0"?><!--a-->\n<export v="1">' + order("me") + b"</export><!--b--> \n"
    assert XML.owners(body, ORDERS) == {("me",): 1, (): 2}
    kept, _ = XML.rewrite(body, ORDERS, permit(ME))
    assert kept == b'<?xml version="1.0"?>\n<export v="1">' + order("me") + b"</export> \n"


def test_a_comment_that_begins_with_what_ends_one_is_taken_out_whole() -> None:
    """The dashes of `<!-->` are the opener's: the comment goes on."""
    hiding = b'<!--><order><customer id="foreign"/></order><- -->'
    body = export(order("me"), before=hiding)
    assert counted(body, ORDERS) == {("me",): 1, (): 1}
    kept, counts = XML.rewrite(body, ORDERS, permit(ME))
    assert kept == export(order("me")) and counts == Counts(seen=2, released=1, redacted=1)


def test_everything_in_a_record_goes_with_it() -> None:
    foreign = b"<order><customer id='foreign'/><!-- c --><![CDATA[<order>]]>text</order>"
    body = export(order("me"), foreign, order("me", "<!-- c --><a b='>'>&lt;</a>"))
    kept, counts = XML.rewrite(body, ORDERS, permit(ME))
    assert kept == body.replace(foreign, b"")
    assert counts == Counts(3, 2, 1)


# Masks

ONE = masking.of_text(Mask("$", pseudonym=True), "1", bytes(32))


@pytest.mark.parametrize(
    ("mask", "before", "after"),
    [
        ("$.p", "<p>1</p><b>2</b><p>3</p>", "<p></p><b>2</b><p></p>"),
        ("$.p", "<p/><p t='x'><a b='1'>1</a><!--c--></p >", "<p/><p t=''></p >"),
        ("$.contact[*].p", "<contact><p>1</p></contact>", "<contact><p></p></contact>"),
        ("$.a['@phone']", "<a phone = '1>2' b=\"2\"/>", "<a phone = '' b=\"2\"/>"),
        ("$.*['@phone']", "<a phone='1'/>", "<a phone=''/>"),
        ("$['@n']", "", ""),
        ("$.missing", "<p>1</p>", "<p>1</p>"),
    ],
)  # fmt: skip
def test_a_mask_empties_elements_and_attributes(mask: str, before: str, after: str) -> None:
    body = export(order("me", before), order("foreign", before))
    kept, _ = XML.rewrite(body, ORDERS, permit(ME, mask=(mask,)))
    expected = order("me", after)
    if mask == "$['@n']":
        expected = expected.replace(b'n="1"', b'n=""')
    assert kept == export(expected, b"")
    assert XML.owners(kept, ORDERS) == {("me",): 1}


@pytest.mark.parametrize(
    ("mask", "before", "after"),
    [
        (Mask("$.p", text="<gone>"), "<p>1&amp;2</p><p/>", "<p>&#60;gone&#62;</p><p/>"),
        (Mask("$.p", keep=2), "<p>&lt;&#65;BC</p>", "<p>&#60;A</p>"),
        (Mask("$['@n']", text="2"), "", ""),
        (Mask("$.a['@t']", keep=1), "<a t='&quot;b'/>", "<a t='&#34;'/>"),
        (Mask("$.p", pseudonym=True), "<p t='x'>1</p>", f"<p t=''>{ONE}</p>"),
        (Mask("$.p", keep=1), "<p t='x'/><p t='xy'>12</p>", "<p t=''/><p t=''>1</p>"),
    ],
)
def test_a_mask_changes_the_text_of_elements_and_attributes(
    mask: Mask, before: str, after: str
) -> None:
    body = export(order("me", before), order("foreign", before))
    kept, _ = XML.rewrite(body, ORDERS, permit(ME, mask=(mask,), key=bytes(32)))
    expected = order("me", after)
    if mask.path == "$['@n']":
        expected = expected.replace(b'n="1"', b'n="2"')
    assert kept == export(expected, b"")
    assert XML.owners(kept, ORDERS) == {("me",): 1}


def test_a_masked_element_says_nothing_in_its_attributes_either() -> None:
    """C-CDA and FHIR write values as attributes: a mask of the element must reach them. What is not
    a value of its own (`xsi:type`, `xsi:nil`) stays, or the element would be invalid."""
    declared = b'<export xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
    before = '<telecom xsi:type="TEL" use="HP" value = "tel:canary"/>'
    body = export(order("me", before)).replace(b"<export>", declared)
    for masks in (
        ("$.telecom",),
        (Mask("$.telecom['@value']", keep=9), Mask("$.telecom", text="x")),
    ):
        kept, _ = XML.rewrite(body, ORDERS, permit(ME, mask=masks))
        after = '<telecom xsi:type="TEL" use="" value = ""/>'
        assert kept == body.replace(before.encode(), after.encode())


def test_more_masked_values_than_memory_is_meant_for_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(xmlpaths, "_MOST", 6)
    for count, code in ((2, None), (3, Code.BODY_TOO_COMPLEX)):
        each = order("me", "<p a='1' b='2'>3</p>" * count)
        try:
            kept, _ = XML.rewrite(export(each, each), ORDERS, permit(ME, mask=("$.p",)))
        except BadUpstream as refused:
            assert refused.code is code
        else:
            assert code is None and kept.count(b"<p a='' b=''></p>") == 4


def test_a_mask_reaches_a_record_inside_a_record() -> None:
    """A reader that looks for records anywhere finds it there, too."""
    inside = order("me", "<p>2</p>").decode()
    body = export(order("me", f"<p>1</p>{inside}<q><p>3</p></q>"))
    kept, _ = XML.rewrite(body, ORDERS, permit(ME, mask=("$.p",)))
    assert kept == body.replace(b"<p>1<", b"<p><").replace(b"<p>2<", b"<p><")


def test_a_mask_of_more_than_text_makes_it_nothing_or_is_refused() -> None:
    body = export(order("me", "<p><q>canary</q></p>"))
    for mask in (Mask("$.p", text="x"), Mask("$.p", keep=1), Mask("$.p", pseudonym=True)):
        with pytest.raises(Exception, match="redaction_unsupported"):
            XML.rewrite(body, ORDERS, permit(ME, mask=(mask,), key=bytes(32)))
    both = (Mask("$.*", keep=1), Mask("$.p"), Mask("$.p.q", keep=1))
    kept, _ = XML.rewrite(body, ORDERS, permit(ME, mask=both))
    assert b"<p></p>" in kept


def test_masks_inside_one_another_are_one() -> None:
    body = export(order("me", "<a><b>1</b></a><a/>"))
    kept, _ = XML.rewrite(body, ORDERS, permit(ME, mask=("$.a.b", "$.a")))
    assert kept == export(order("me", "<a></a><a/>"))


@pytest.mark.parametrize(
    ("masks", "inside"),
    [
        (("$.a.b",), "<a>canary</a>"),
        (("$.a.b",), "<a><![CDATA[canary]]></a>"),
        (("$.a.b.c",), "<a><b>1</b><b><c>1</c></b></a>"),
        (("$.a.b['@c']",), "<a>canary<!-- --></a>"),
        (("$.*.b", "$.x"), "<x>1</x><a>canary</a>"),
    ],
)
def test_a_text_where_a_mask_goes_into_elements_can_not_be_masked(
    masks: tuple[str, ...], inside: str
) -> None:
    with pytest.raises(BadUpstream) as caught:
        XML.rewrite(export(order("me", inside)), ORDERS, permit(ME, mask=masks))
    assert caught.value.code is Code.REDACTION_UNSUPPORTED
    assert "canary" not in caught.value.note
    both = export(order("foreign", inside), order("me"))
    assert XML.rewrite(both, ORDERS, permit(ME, mask=masks))[0] == export(b"", order("me"))


@pytest.mark.parametrize(
    ("masks", "inside", "left"),
    [
        (("$.a.b",), "<a/><a></a><a> \n</a><a c='1'/>", "<a/><a></a><a> \n</a><a c='1'/>"),
        (("$.a.b",), "<a>said <b>1</b></a><a><c>1</c></a>", "<a>said <b></b></a><a><c>1</c></a>"),
        (("$.a.b", "$.a"), "<a>1</a>", "<a></a>"),
        (("$.a.b.c", "$.a"), "<a><b>1</b></a>", "<a></a>"),
    ],
)
def test_what_has_elements_or_nothing_in_it_or_is_masked_whole_fits_a_mask(
    masks: tuple[str, ...], inside: str, left: str
) -> None:
    body = export(order("me", inside))
    assert XML.rewrite(body, ORDERS, permit(ME, mask=masks))[0] == export(order("me", left))


def test_what_looks_like_a_mask_is_ambiguous_and_an_impossible_mask_unsupported() -> None:
    body = export(order("me", "<Phone>1</Phone>"))
    with pytest.raises(Exception, match="body_ambiguous"):
        XML.rewrite(body, ORDERS, permit(ME, mask=("$.phone",)))
    for mask in ("$['a b']", "$['x:a']", "$['@a'].b"):
        with pytest.raises(Exception, match="redaction_unsupported"):
            XML.rewrite(body, ORDERS, permit(ME, mask=(mask,)))


# Hostile documents (A67 to A69, A72)


XSI = b'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
LAUGHS = b'<!DOCTYPE e [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>'
DOCTYPE = b"""<!DOCTYPE export [
<!ELEMENT export (order*)>
<!ATTLIST order id CDATA #REQUIRED
  note CDATA #IMPLIED>
]>
"""


@pytest.mark.parametrize(
    "before",
    [
        b"<!DOCTYPE export>",
        DOCTYPE,
        LAUGHS,
        b'<!DOCTYPE export SYSTEM "file:///etc/passwd">',
        b'<!DOCTYPE export PUBLIC "x" "http://127.0.0.1:1/x.dtd">',
        b'<!DOCTYPE export [<!ENTITY % p SYSTEM "http://127.0.0.1:1/x"> %p;]>',
        b'<?xml-stylesheet type="text/xsl" href="http://127.0.0.1:1/x"?>',
        b"<?php echo 1 ?>",
        b'<?OFX OFXHEADER="200" VERSION="211" SECURITY="NONE" OLDFILEUID="me" NEWFILEUID="NONE"?>',
    ],
)
def test_document_types_and_instructions_are_refused(before: bytes) -> None:
    assert XML.refusal(before + export(order("me")), ORDERS) is Code.BODY_AMBIGUOUS
    ofx = (
        b'<?OFX OFXHEADER="200" VERSION="211" SECURITY="NONE" OLDFILEUID="NONE" NEWFILEUID="NONE"?>'
    )
    assert XML.owners(ofx + export(order("me")), ORDERS) == {("me",): 1}


def test_a_configured_document_type_may_declare_elements_and_attributes() -> None:
    spec = by("customer/@id", doctype=True)
    body = b'<?xml version="1.0"?>\n' + DOCTYPE + export(order("me"))
    assert XML.owners(body, spec) == {("me",): 1}
    assert XML.rewrite(body, spec, permit(ME))[0] == body
    commented = body.replace(b"]>", b"<!-- Export Version: 11 -->\n]>")
    assert XML.owners(commented, spec) == {("me",): 1, (): 1}
    assert XML.rewrite(commented, spec, permit(ME))[0] == body.replace(DOCTYPE, b"\n")


@pytest.mark.parametrize(
    "inside",
    [
        b'<!ENTITY a "ha">',
        b'<!ENTITY % a "ha">%a;',
        b"%a;",
        b'<!ENTITY a SYSTEM "file:///etc/passwd">',
        b'<!NOTATION n SYSTEM "x">',
        b'<!ATTLIST customer id CDATA "foreign">',
        b'<!ATTLIST customer id CDATA #FIXED "foreign">',
        b"<!ATTLIST customer id NMTOKEN #REQUIRED>",
        b"<!ATTLIST customer id (a|b) #IMPLIED>",
        b"<?x?>",
        b"<!-- a --><?x y?><!-- b -->",
        b'<!-- a --><!ENTITY a "b"><!-- b -->',
    ],
)
def test_no_configured_document_type_may_do_more(inside: bytes) -> None:
    body = b"<!DOCTYPE export [%b]>" % inside + export(order("me"))
    assert XML.refusal(body, by("customer/@id", doctype=True)) is Code.BODY_AMBIGUOUS


@pytest.mark.parametrize(
    "inside",
    [
        b'<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="http://127.0.0.1:1/"/>',
        b'<xop:Include xmlns:xop="http://www.w3.org/2004/08/xop/include" href="cid:1"/>',
        b"<a %b xsi:schemaLocation='urn:x http://127.0.0.1:1/x.xsd'/>" % XSI,
        b"<a %b xsi:noNamespaceSchemaLocation='http://127.0.0.1:1/x.xsd'/>" % XSI,
        b"<?xml-stylesheet href='x'?>",
        b"<?OFX x?>",
    ],
)
def test_what_makes_a_reader_fetch_is_refused_in_records_and_around_them(inside: bytes) -> None:
    assert XML.refusal(export(order("me", inside.decode())), ORDERS) is Code.BODY_AMBIGUOUS
    assert XML.refusal(export(order("me"), before=inside), ORDERS) is Code.BODY_AMBIGUOUS


def test_the_root_may_say_where_the_schema_of_a_configured_namespace_is() -> None:
    spec = by("@id", records="/g:gpx/g:trk", namespaces={"g": "urn:g"})
    body = (
        b'<gpx xmlns="urn:g" %b xsi:schemaLocation="%%b http://x/g.xsd"><trk id="me"/></gpx>' % XSI
    )
    assert XML.owners(body % b"urn:g", spec) == {("me",): 1}
    assert XML.refusal(body % b"urn:other", spec) is Code.BODY_AMBIGUOUS


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"text",
        b"<export>",
        b"<export></order>",
        b"<export/><export/>",
        b"<export/>x",
        b"<export/>\0",
        b"<export/>PK\x05\x06",
        b" <?xml version='1.0'?><export/>",
        b"\xef\xbb\xbf\xef\xbb\xbf<export/>",
        b"<export a='1' a='2'/>",
        b"<export xmlns:a='u' xmlns:b='u' a:x='1' b:x='2'/>",
        b"<a:export/>",
        b"<export>&undefined;</export>",
        b"<export>&#0;</export>",
        b"<export>&#xD800;</export>",
        b"<export a='<'/>",
        b"<export>]]></export>",
        b"<export><!-- -- --></export>",
        b"<export>\x01</export>",
        b"<export>\xff</export>",
        b"<export>\xc0\xaf</export>",
        b"<export>\xed\xa0\x80</export>",
        b"<export xmlns:x=''/>",
        b"<\0e\0x\0p\0o\0r\0t\0/\0>\0",
        b"\0<\0e\0x\0p\0o\0r\0t\0/\0>",
    ],
)  # fmt: skip
def test_what_is_not_well_formed_is_malformed(body: bytes) -> None:
    assert XML.refusal(body, ORDERS) is Code.BODY_MALFORMED
    assert XML.owners(b"\xef\xbb\xbf<export/> \n", ORDERS) == {}


@pytest.mark.parametrize(
    "uri", ["u n:x", "urn:&lt;x>", "u!n:x", "urn:x]", "é", "urn:\u0085", "a%zz", "1:x"]
)  # fmt: skip
def test_a_namespace_that_is_no_uri_is_ambiguous(uri: str) -> None:
    """libxml2 reads no document with one; expat does."""
    for prefix in "", ":x":
        inside = f'<a xmlns{prefix}="{uri}"/>'
        assert XML.refusal(export(order("me", inside)), ORDERS) is Code.BODY_AMBIGUOUS
    for known in "urn:hl7-org:v3", "http://www.topografix.com/GPX/1/1", "a/b#c", "urn:a%20b:c":
        inside = f'<a xmlns:x="{known}"/>'
        assert XML.owners(export(order("me", inside)), ORDERS) == {("me",): 1}


@pytest.mark.parametrize("encoding", ["ISO-8859-1", "UTF-16", "US-ASCII", "UTF-7", "windows-1252"])
def test_another_encoding_is_refused_whatever_the_bytes_are(encoding: str) -> None:
    """A17, A72."""
    declared = f'<?xml version="1.0" encoding="{encoding}"?>'
    body = declared.encode() + export(order("me"))
    assert XML.refusal(body, ORDERS) is Code.BODY_AMBIGUOUS
    for codec in ("utf-16", "utf-32", "utf-16-be"):
        wide = body.decode().encode(codec)
        assert XML.refusal(wide, ORDERS) in (Code.BODY_AMBIGUOUS, Code.BODY_MALFORMED)
    utf_8 = body.replace(encoding.encode(), b"utf-8")
    assert XML.owners(b"\xef\xbb\xbf" + utf_8, ORDERS) == {("me",): 1}


def test_another_version_is_refused() -> None:
    body = b'<?xml version="1.1"?>' + export(order("me"))
    assert XML.refusal(body, ORDERS) is Code.BODY_AMBIGUOUS


def test_another_root_is_no_place_for_the_records() -> None:
    for root in (b"<other/>", b"<Export/>", b"<export xmlns='urn:x'/>", b"<html/>"):
        assert XML.refusal(root, ORDERS) is Code.BODY_AMBIGUOUS


def test_every_cut_document_is_refused() -> None:
    body = b'<?xml version="1.0"?>' + export(order("me"), before=b"<!-- c -->t")
    for length in range(len(body.rstrip())):
        assert XML.refusal(body[:length], ORDERS) is Code.BODY_MALFORMED, length


def deep(levels: int) -> bytes:
    return export(b"<order>" + b"<a>" * levels + b"</a>" * levels + b"</order>")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (deep(100_000), Code.BODY_TOO_COMPLEX),
        (b"<export " + b" ".join(b'a%d="1"' % n for n in range(100_000)) + b"/>",
         Code.BODY_TOO_COMPLEX),
        (export(b"".join(b'<a xmlns:p%d="u"/>' % n for n in range(5000))), Code.BODY_TOO_COMPLEX),
    ],
)  # fmt: skip
def test_what_is_too_complex_is_refused_early(body: bytes, code: Code) -> None:
    """A69."""
    assert XML.refusal(body, ORDERS) is code
    assert XML.owners(deep(90), ORDERS) == {(): 1}


def test_the_names_of_fields_are_bounded() -> None:
    names = b"".join(b"<a%d/>" % n for n in range(5000))
    assert XML.verdict(export(b"<order>" + names + b"</order>"), ORDERS) == "body_too_complex"
    assert XML.owners(export(b"<order><b>" + names + b"</b></order>"), ORDERS) == {(): 1}


@pytest.mark.parametrize(
    "body",
    [
        export(order("me", "<a>" + "x" * 3000 + "</a>")),
        export(order("me", "<a/>" * 3000)),
        export(order("me", f"<!--{'x' * 3000}-->")),
        export(order("me"), before=b"<!--" + b"x" * 300_000 + b"-->"),
        export(order("me"), before=b" " * 300_000),
        export(order("me"), before=b"<a b='" + b"x" * 300_000 + b"'/>"),
        b"<!--" + b"x" * 300_000 + b"-->" + export(order("me")),
        b" " * 300_000 + export(order("me")),
    ],
)
def test_a_record_and_anything_else_is_bounded(body: bytes) -> None:
    small = Format(xml, Limits(record=2000), chunk=100)
    assert small.refusal(body, ORDERS) is Code.BODY_TOO_LARGE
    assert small.owners(export(*[order("me")] * 500), ORDERS) == {("me",): 500}


def test_a_record_of_many_small_elements_takes_little_more_memory_than_its_text() -> None:
    body = export(order("me", "<a/>" * 1_000_000))
    gc.collect()
    tracemalloc.start()
    try:
        assert XML.owners(body, ORDERS) == {("me",): 1}
        assert tracemalloc.get_traced_memory()[1] < 32 * 2**20
    finally:
        tracemalloc.stop()


_OPENED: list[str] = []
_AUDITED = {"open", "socket.connect", "socket.getaddrinfo", "urllib.Request", "os.open"}


@pytest.fixture
def opened() -> Iterator[list[str]]:
    """Every file that is opened and every connection that is made while the test runs."""
    if not getattr(sys, "_xml_audited", False):
        sys.addaudithook(lambda event, _: _OPENED.append(event) if event in _AUDITED else None)
        sys._xml_audited = True  # type: ignore[attr-defined]
    _OPENED.clear()
    yield _OPENED


def test_nothing_is_opened_and_nobody_is_called(opened: list[str]) -> None:
    """A68: 0 opens, 0 connects."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        url = f"http://127.0.0.1:{port}/x"
        opened.clear()
        hostile = [
            f'<!DOCTYPE e SYSTEM "{url}"><export/>',
            f'<!DOCTYPE e [<!ENTITY x SYSTEM "{url}">]><export>&x;</export>',
            '<!DOCTYPE e [<!ENTITY x SYSTEM "file:///etc/passwd">]><export>&x;</export>',
            f'<!DOCTYPE e [<!ENTITY % x SYSTEM "{url}"> %x;]><export/>',
            f'<export><i:include xmlns:i="http://www.w3.org/2001/XInclude" href="{url}"/></export>',
            f'<?xml-stylesheet type="text/xsl" href="{url}"?><export/>',
            f'<export {XSI.decode()} xsi:noNamespaceSchemaLocation="{url}"/>',
        ]
        for doctype in (False, True):
            for body in hostile:
                XML.refusal(body.encode(), by("@id", doctype=doctype))
        assert opened == []
        server.settimeout(0)
        with pytest.raises(BlockingIOError):
            server.accept()


# One reading


names = st.sampled_from(["order", "customer", "export", "id", "x:id", "Customer"])
texts = st.text("me<&>'\" \n\té]-", max_size=6)


def _escaped(text: str) -> str:
    for sign, name in (("&", "amp"), ("<", "lt"), (">", "gt"), ("'", "apos"), ('"', "quot")):
        text = text.replace(sign, f"&{name};")
    return text


@st.composite
def elements(draw: st.DrawFn, depth: int = 0) -> str:
    name = draw(
        st.sampled_from(["a", "b", "note", "customer"] if depth else ["order"] * 4 + ["meta"])
    )
    attributes = draw(st.dictionaries(st.sampled_from(["id", "n", "v"]), texts, max_size=2))
    if name == "order":
        owner = draw(st.sampled_from(["me", "foreign", "other"]))
    inside = [f'<customer id="{owner}"/>'] if name == "order" else []
    if depth < 3:
        parts = [elements(depth=depth + 1), texts.map(_escaped), st.just("<!-- c -->"),
                 st.just("<![CDATA[<order>]]>")]  # fmt: skip
        inside += draw(st.lists(st.one_of(*parts), max_size=3))
    given = "".join(f' {key}="{_escaped(value)}"' for key, value in attributes.items())
    if name == "customer":
        name = "client"
    return f"<{name}{given}>{''.join(inside)}</{name}>" if inside else f"<{name}{given}/>"


@settings(max_examples=200, deadline=None)
@given(st.lists(elements(), max_size=6), st.sampled_from(["", " ", "\n", "text"]))
def test_what_is_kept_is_byte_identical_and_holds_no_foreign_record(
    parts: list[str], between: str
) -> None:
    body = f'<?xml version="1.0"?>\n<export v="1">{between.join(parts)}</export>\n'.encode()
    kept, counts = XML.rewrite(body, ORDERS, permit(ME))
    mine = [each for each in parts if each.startswith("<order") and '<customer id="me"/>' in each]
    assert set(identifiers(kept)) <= {"me"}
    assert len(identifiers(kept)) == len(mine) == counts.released
    assert re.sub(rb"\s", b"", kept) == re.sub(
        rb"\s", b"", b'<?xml version="1.0"?><export v="1">' + "".join(mine).encode() + b"</export>"
    )
    assert counts.seen == sum(group.records for group in XML.inspect(body, ORDERS).groups)
    assert XML.owners(kept, ORDERS) == ({("me",): len(mine)} if mine else {})


@settings(max_examples=60, deadline=None)
@given(st.lists(elements(), max_size=6), st.integers(1, 40), st.integers(40, 400))
def test_how_a_body_is_cut_changes_nothing(parts: list[str], chunk: int, record: int) -> None:
    body = f"<export><!-- c -->{''.join(parts)}</export>".encode()
    one = Format(xml, Limits(record=record))
    other = Format(xml, Limits(record=record), chunk)
    assert one.verdict(body, ORDERS) == other.verdict(body, ORDERS)
    if one.verdict(body, ORDERS) == "ok":
        assert one.inspect(body, ORDERS).groups == other.inspect(body, ORDERS).groups
        verdict = permit(ME, mask=("$.a", "$['@n']"))
        assert one.rewrite(body, ORDERS, verdict) == other.rewrite(body, ORDERS, verdict)


def test_a_body_may_be_cut_at_every_byte() -> None:
    body = b'\xef\xbb\xbf<?xml version="1.0" encoding="UTF-8"?>\n' + DOCTYPE + export(
        order("me", "<p>\u00e9&amp;<![CDATA[x]]></p>"), order("foreign"), before=b"<a/>text"
    )  # fmt: skip
    spec, verdict = by("customer/@id", doctype=True), permit(ME, mask=("$.p",))
    expected = XML.rewrite(body, spec, verdict)
    for size in range(1, len(body)):
        assert Format(xml, chunk=size).rewrite(body, spec, verdict) == expected


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60) | st.text("<>/!-[]?&;='\" abexport", max_size=60).map(str.encode))
def test_nothing_makes_it_fail_in_another_way_than_by_a_code(body: bytes) -> None:
    for text in (body, b"<export>" + body + b"</export>", export(b"<order>" + body + b"</order>")):
        if XML.verdict(text, ORDERS) == "ok":
            ElementTree.fromstring(text)
            etree.fromstring(text, etree.XMLParser(resolve_entities=False, no_network=True))


# Manifests


def test_a_manifest_vouches_by_its_elements() -> None:
    spec = MemberSpec("m.xml", Name.XML, "/list/file", ({"account": ("@owner", "../@all")},),
                      vouches_for="name")  # fmt: skip
    body = (
        b'<list all="me"><file owner="me"><name>a.wav</name></file>'
        b"<file><name>b</name></file></list>"
    )
    named, records = xml.vouching(Cut(body, 7), spec, Limits())
    assert named.subject == ({"account": ("$['0'][*]", "$['1'][*]")},)
    assert named.vouches_for == "$['2'][*]"
    assert list(records) == [
        {"0": ["me"], "1": ["me"], "2": ["a.wav"]},
        {"1": ["me"], "2": ["b"]},
    ]


# What is rewritten is read again, as if it came from a stranger


def delivered(
    body: bytes, spec: BodySpec, *permitted: SubjectRef, unattributed: bool = False
) -> bytes:
    """What a caller gets, after the gateway's own check of it."""
    task = Task(Payload("application/zip" if spec.members else "text/xml"), spec, Limits())
    decision = permit(*permitted, unattributed=unattributed).decision
    stored, sink = InMemory(body), MemorySink()
    seen = work.inspect(stored, task)
    counts = work.rewrite(stored, task, seen, decision, sink)
    work.confirm(InMemory(sink.getvalue()), task, seen, decision, counts)
    return sink.getvalue()


@st.composite
def accounts(draw: st.DrawFn) -> str:
    """An envelope element: owners by its attribute and by elements in it, records, strays."""
    names = st.sampled_from(["me", "foreign"])
    stray = st.sampled_from(["", "x", " ", "<!-- c -->", "<n/>", "<![CDATA[ ]]>", "<!-- c -->y"])
    holder = draw(st.sampled_from(["", ' holder="me"', ' holder="foreign"', ' n="1"']))
    owner = draw(st.sampled_from(["", "<owner id='me'/>", "<owner><id/></owner>",
                                  "<owner id='foreign' n='2'>text</owner>"]))  # fmt: skip
    records = [f"<order to='{draw(names)}'>1</order>" for _ in range(draw(st.integers(0, 3)))]
    parts = [draw(stray), owner, draw(stray), *(each + draw(stray) for each in records)]
    return f"<account{holder}>{''.join(parts)}</account>"


@settings(max_examples=300, deadline=None)
@given(
    st.lists(accounts(), max_size=4),
    st.sampled_from(
        [
            ({"account": ("../@holder",)},),
            ({"account": ("../owner/@id",)},),
            ({"account": ("../owner/@id",)}, {"account": ("@to",)}),
            ({"account": ("../@holder",), "other": ("../owner/@id",)},),
            ({"account": ("@to",)},),
        ]
    ),
    st.booleans(),
    st.booleans(),
)
def test_whatever_is_withheld_the_rest_is_read_alike(
    parts: list[str], subject: Any, permitted: bool, unattributed: bool
) -> None:
    spec = BodySpec(Name.XML, records="/export/account/order", subject=subject)
    body = f"<export>{''.join(parts)}</export>".encode()
    mine = (ME, SubjectRef("other", "me")) if permitted else ()
    kept = delivered(body, spec, *mine, unattributed=unattributed)
    root = ElementTree.fromstring(kept)
    for kind, locators in ((k, v) for owner in subject for k, v in owner.items()):
        assert kind and locators
        for account in root.findall("account"):
            if "../@holder" in locators:
                assert account.get("holder") in ((None, "me") if permitted else (None,))
            if "../owner/@id" in locators:
                found = {each.get("id") for each in account.findall("owner")}
                assert "foreign" not in found and (permitted or "me" not in found)
            if "@to" in locators and not unattributed:
                assert "foreign" not in {each.get("to") for each in account.findall("order")}
    if not (permitted or unattributed):
        assert not "".join(root.itertext()).strip()


def test_an_archive_of_health_data_goes_by_its_path() -> None:
    """Apple's export.xml names nobody, and has a document type."""
    health = (
        b'<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE HealthData [\n'
        b"<!-- HealthKit Export Version: 11 -->\n"
        b"<!ELEMENT HealthData (ExportDate,Me,(Record|Workout)*)>\n"
        b"<!ATTLIST HealthData\n  locale CDATA #REQUIRED\n>\n"
        b"<!ELEMENT MetadataEntry EMPTY>\n]>\n"
        b'<HealthData locale="de_DE">\n <ExportDate value="2026-07-01 10:00:00 +0200"/>\n'
        b' <Me HKCharacteristicTypeIdentifierDateOfBirth="1980-01-01"/>\n'
        b' <Record type="HKQuantityTypeIdentifierHeartRate" value="62">\n'
        b'  <MetadataEntry key="HKMetadataKeyHeartRateMotionContext" value="0"/>\n </Record>\n'
        b"</HealthData>\n"
    )
    member = MemberSpec("{account}/export.xml", Name.XML, "/HealthData/*", doctype=True,
                        attribution=Attribution.PATH)  # fmt: skip
    spec = BodySpec(Name.ZIP, members=(member,))
    body = archive(M("me/export.xml", health, DEFLATED), M("foreign/export.xml", health, DEFLATED))
    with zipfile.ZipFile(io.BytesIO(delivered(body, spec, ME))) as kept:
        assert {name: kept.read(name) for name in kept.namelist()} == {"me/export.xml": health}


def test_a_bank_statement_keeps_its_own_entries() -> None:
    """camt.053: the counterparties in an entry are no owners of it."""
    uri = "urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"

    def document(*ibans: str) -> bytes:
        statements = "".join(
            f"<Stmt><Id>{n}</Id><Acct><Id><IBAN>{iban}</IBAN></Id><Ccy>EUR</Ccy></Acct>"
            f'<Ntry><Amt Ccy="EUR">1.00</Amt><NtryDtls><TxDtls><RltdPties><CdtrAcct><Id><IBAN>'
            "DE-other</IBAN></Id></CdtrAcct></RltdPties></TxDtls></NtryDtls></Ntry></Stmt>"
            for n, iban in enumerate(ibans)
        )
        header = "<GrpHdr><MsgId>7</MsgId><CreDtTm>2026-07-01T10:00:00</CreDtTm></GrpHdr>"
        return (
            f'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n<Document xmlns="{uri}">'
            f"<BkToCstmrStmt>{header}{statements}</BkToCstmrStmt></Document>"
        ).encode()

    spec = by("Acct/Id/IBAN", records="/Document/BkToCstmrStmt/Stmt", namespaces={"": uri})
    me = SubjectRef("account", "DE-me")
    assert XML.owners(document("DE-me", "DE-foreign"), spec) == {
        (): 1,
        ("DE-me",): 1,
        ("DE-foreign",): 1,
    }
    body = document("DE-me", "DE-foreign")
    assert delivered(body, spec, me, unattributed=True) == document("DE-me")
    masked, _ = XML.rewrite(
        body, spec, permit(me, mask=("$.Ntry.NtryDtls.TxDtls.RltdPties",), unattributed=True)
    )
    assert b"DE-other" not in masked and b"<RltdPties></RltdPties>" in masked


def test_a_clinical_document_belongs_to_its_record_target() -> None:
    """C-CDA: one document, one patient; its sections may be records of their own."""
    body = (
        b'<?xml version="1.0" encoding="UTF-8"?>\n<ClinicalDocument xmlns="urn:hl7-org:v3" '
        b'xmlns:sdtc="urn:hl7-org:sdtc" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        b'xsi:schemaLocation="urn:hl7-org:v3 CDA.xsd">\n<recordTarget><patientRole>'
        b'<id root="2.16.840.1.113883.19.5" extension="998991"/><patient><sdtc:raceCode code="1"/>'
        b"</patient></patientRole></recordTarget>\n<component><structuredBody><component><section>"
        b'<entry><observation><value xsi:type="CD"/></observation></entry><component><section/>'
        b"</component></section></component></structuredBody></component></ClinicalDocument>\n"
    )
    owner = "2.16.840.1.113883.19.5^998991"
    target = "recordTarget/patientRole/id/@root^@extension"
    whole = by(target, records="$", namespaces={"": "urn:hl7-org:v3"})
    assert XML.owners(body, whole) == {(owner,): 1}
    sections = by(
        f"../../../../{target}",
        records="/ClinicalDocument/component/structuredBody/component/section",
        namespaces={"": "urn:hl7-org:v3"},
    )
    assert counted(body, sections) == {(owner,): 2}
    assert delivered(body, sections, SubjectRef("account", owner)) == body


def test_tracks_and_ofx_statements() -> None:
    gpx = (
        b'<?xml version="1.0"?><gpx xmlns="http://www.topografix.com/GPX/1/1" version="1.1" '
        b'creator="x"><metadata><author><name>foreign</name></author></metadata>'
        b'<trk><name>me</name><trkseg><trkpt lat="1" lon="2"/></trkseg></trk></gpx>'
    )
    uri = "http://www.topografix.com/GPX/1/1"
    spec = by("g:name", records="/g:gpx/g:trk", namespaces={"g": uri})
    assert XML.owners(gpx, spec) == {("me",): 1, (): 1}
    assert b"foreign" not in delivered(gpx, spec, ME) and b"trkpt" in delivered(gpx, spec, ME)
    ofx = (
        b'<?xml version="1.0" encoding="UTF-8" standalone="no"?>\n<?OFX OFXHEADER="200" '
        b'VERSION="211" SECURITY="NONE" OLDFILEUID="NONE" NEWFILEUID="NONE"?>\n<OFX><BANKMSGSRSV1>'
        b"<STMTTRNRS><STMTRS><BANKACCTFROM><ACCTID>me</ACCTID></BANKACCTFROM></STMTRS></STMTTRNRS>"
        b"</BANKMSGSRSV1></OFX>"
    )
    spec = by("STMTRS/BANKACCTFROM/ACCTID", records="/OFX/BANKMSGSRSV1/STMTTRNRS")
    assert delivered(ofx, spec, ME) == ofx
    assert b"<BANKMSGSRSV1></BANKMSGSRSV1>" in delivered(ofx, spec, FOREIGN)
