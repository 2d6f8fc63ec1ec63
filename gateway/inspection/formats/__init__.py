"""The formats, as a table one can read. A new format is a file here and a row in the table, or
comes from a package of its own (`outside`).

A format is two functions over one reading of the bytes (both walk the same scan, so that what is
kept is decided by exactly what was counted), and what the rest of the gateway must know of it; see
`reader`.
"""

from gateway.inspection import fhirreferences, jsonlineage, mailrecords, parquetfile, xpath
from gateway.inspection.formats import (
    csv,
    eml,
    fhir,
    icalendar,
    javascript,
    json,
    jsonseq,
    mbox,
    mt940,
    multipart,
    ndjson,
    ofx,
    opaque,
    parquet,
    sse,
    tar,
    vcard,
    xlsx,
    xml,
    zip,
)
from gateway.inspection.formats.outside import Table
from gateway.inspection.formats.reader import Reader
from gateway.model import Format

__all__ = ["FORMATS", "Reader"]

_OWNED = frozenset(
    {"subject", "category", "vouches_for", "sizes", "hashes", "owns_archive", "compression"}
)
_ARCHIVE = frozenset({"members", "subject_header", "removed_notice"})
_SUBJECT = frozenset({"subject", "category", "compression"})
_TEXTS = frozenset({"embedded", "undeclared"})

_OURS = {
    Format.JSON: Reader(
        json.MEDIA_TYPES,
        "json",
        _OWNED | _TEXTS | {"records", "totals", "also", "removed_notice"},
        json.detect,
        json.inspect,
        json.rewrite,
        locator=jsonlineage.check,
        vouching=json.vouching,
        streams=True,
    ),
    Format.NDJSON: Reader(
        ndjson.MEDIA_TYPES,
        "ndjson",
        _OWNED | _TEXTS,
        ndjson.detect,
        ndjson.inspect,
        ndjson.rewrite,
        vouching=ndjson.vouching,
        streams=True,
        lines=True,
    ),
    Format.JSON_SEQ: Reader(
        jsonseq.MEDIA_TYPES,
        "json-seq",
        _OWNED | _TEXTS,
        jsonseq.detect,
        jsonseq.inspect,
        jsonseq.rewrite,
        vouching=jsonseq.vouching,
        streams=True,
    ),
    Format.SSE: Reader(
        sse.MEDIA_TYPES,
        "sse",
        _OWNED | _TEXTS,
        sse.detect,
        sse.inspect,
        sse.rewrite,
        vouching=sse.vouching,
        streams=True,
    ),
    Format.JAVASCRIPT: Reader(
        javascript.MEDIA_TYPES,
        "js",
        _OWNED | _TEXTS | {"records", "totals", "also"},
        javascript.detect,
        javascript.inspect,
        javascript.rewrite,
        locator=jsonlineage.check,
        vouching=javascript.vouching,
        charset="utf-8",
    ),
    Format.CSV: Reader(
        csv.MEDIA_TYPES,
        "csv",
        _OWNED | {"delimiter", "encoding", "quote", "preamble"},
        csv.detect,
        csv.inspect,
        csv.rewrite,
        locator=csv.column,
        vouching=csv.vouching,
        as_declared=csv.as_declared,
        streams=True,
        lines=True,
    ),
    Format.XML: Reader(
        xml.MEDIA_TYPES,
        "xml",
        _OWNED | {"records", "namespaces", "doctype"},
        xml.detect,
        xml.inspect,
        xml.rewrite,
        locator=xpath.check,
        vouching=xml.vouching,
    ),
    Format.PARQUET: Reader(
        parquet.MEDIA_TYPES,
        "parquet",
        frozenset({"subject", "category"}),
        parquet.detect,
        parquet.inspect,
        parquet.rewrite,
        locator=csv.column,
        random_access=True,
        library=parquetfile.LIBRARY,
    ),
    Format.XLSX: Reader(
        xlsx.MEDIA_TYPES,
        "xlsx",
        frozenset({"subject", "category"}),
        xlsx.detect,
        xlsx.inspect,
        xlsx.rewrite,
        locator=csv.column,
        random_access=True,
    ),
    Format.VCARD: Reader(
        vcard.MEDIA_TYPES,
        "vcf",
        _SUBJECT,
        vcard.detect,
        vcard.inspect,
        vcard.rewrite,
        locator=vcard.locator,
        charset="utf-8",
    ),
    Format.ICALENDAR: Reader(
        icalendar.MEDIA_TYPES,
        "ics",
        _SUBJECT,
        icalendar.detect,
        icalendar.inspect,
        icalendar.rewrite,
        locator=icalendar.locator,
        charset="utf-8",
    ),
    Format.MT940: Reader(
        mt940.MEDIA_TYPES,
        "sta",
        _SUBJECT | {"encoding"},
        mt940.detect,
        mt940.inspect,
        mt940.rewrite,
        locator=mt940.locator,
    ),
    Format.OFX: Reader(
        ofx.MEDIA_TYPES,
        "ofx",
        _SUBJECT,
        ofx.detect,
        ofx.inspect,
        ofx.rewrite,
        locator=ofx.locator,
    ),
    Format.FHIR: Reader(
        fhir.MEDIA_TYPES,
        "fhir.json",
        _SUBJECT | _TEXTS | {"categories", "base", "lines"},
        fhir.detect,
        fhir.inspect,
        fhir.rewrite,
        locator=fhirreferences.locator,
        streams=True,
    ),
    Format.ZIP: Reader(
        zip.MEDIA_TYPES,
        "zip",
        _ARCHIVE,
        zip.detect,
        zip.inspect,
        zip.rewrite,
        random_access=True,
    ),
    Format.MBOX: Reader(
        mbox.MEDIA_TYPES,
        "mbox",
        frozenset({"subject", "category", "members"}),
        mbox.detect,
        mbox.inspect,
        mbox.rewrite,
        locator=mailrecords.fields_of,
    ),
    Format.EML: Reader(
        eml.MEDIA_TYPES,
        "eml",
        frozenset({"subject", "category", "members"}),
        eml.detect,
        eml.inspect,
        eml.rewrite,
        locator=mailrecords.fields_of,
    ),
    Format.TAR: Reader(
        tar.MEDIA_TYPES,
        "tar",
        _ARCHIVE | {"compression"},
        tar.detect,
        tar.inspect,
        tar.rewrite,
        random_access=True,
    ),
    Format.MULTIPART: Reader(
        multipart.MEDIA_TYPES,
        "mime",
        _ARCHIVE,
        multipart.detect,
        multipart.inspect,
        multipart.rewrite,
        random_access=True,
        streams=True,
    ),
    Format.OPAQUE: Reader(
        opaque.MEDIA_TYPES,
        "bin",
        frozenset({"subject", "category", "subject_header"}),
        opaque.detect,
        opaque.inspect,
        opaque.rewrite,
        locator=opaque.locator,
    ),
}

FORMATS = Table(_OURS)
"""Ours, and behind them those that installed packages bring (`outside`)."""
