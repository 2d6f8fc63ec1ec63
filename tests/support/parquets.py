"""Parquet files of any rows, and the footers and pages of hostile ones."""

import io
from typing import Any

import pyarrow
from pyarrow import parquet


def written(rows: Any, **options: Any) -> bytes:
    """A Parquet file of a table, or of column → values."""
    table = rows if isinstance(rows, pyarrow.Table) else pyarrow.table(rows)
    file = io.BytesIO()
    parquet.write_table(table, file, **options)
    return file.getvalue()


def read(body: bytes) -> list[dict[str, Any]]:
    return list(parquet.read_table(io.BytesIO(body)).to_pylist())


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def integers(**fields: int) -> bytes:
    """A struct of i32 fields in Thrift's compact protocol: `integers(_1=0, _2=7)`."""
    out, last = bytearray(), 0
    for name, value in fields.items():
        number = int(name[1:])
        out += bytes([(number - last) << 4 | 5]) + varint(value * 2)
        last = number
    return bytes(out) + b"\0"


def page(unfolded: int, data: bytes, values: int = 1, encoding: int = 0) -> bytes:
    """A data page that says that it unfolds to `unfolded` bytes."""
    inside = integers(_1=values, _2=encoding, _3=3, _4=3)
    head = integers(_1=0, _2=unfolded, _3=len(data))[:-1]
    return head + b"\x2c" + inside + b"\0" + data


def framed(footer: bytes, data: bytes = b"") -> bytes:
    return b"PAR1" + data + footer + len(footer).to_bytes(4, "little") + b"PAR1"
