"""Writes two tables of docs/formats.md from the table of formats and the limits:
`python docs/generate_formats.py`.

The tests fail where the page is not what this writes.
"""

from dataclasses import fields
from pathlib import Path

from gateway.errors import Code
from gateway.inspection.formats import FORMATS
from gateway.inspection.settings import Limits
from gateway.model import Format
from gateway.quantities import spell_size

PAGE = Path(__file__).with_name("formats.md")

LIMITS = {
    "body": ("bytes as received", Code.BODY_TOO_LARGE),
    "decoded": ("bytes decoded, and of all members of an archive", Code.BODY_TOO_LARGE),
    "ratio": ("decoded to received, beyond the first MiB", Code.BODY_TOO_LARGE),
    "record": ("bytes of one record, which is held in memory", Code.BODY_TOO_LARGE),
    "depth": ("levels of nesting", Code.BODY_TOO_COMPLEX),
    "subjects": ("distinct subjects", Code.BODY_TOO_COMPLEX),
    "members": ("members of an archive", Code.BODY_TOO_COMPLEX),
    "fields": ("distinct names of fields", Code.BODY_TOO_COMPLEX),
    "columns": ("columns of a table", Code.BODY_TOO_COMPLEX),
    "embedding_depth": ("documents in the texts of others", Code.BODY_TOO_COMPLEX),
}  # fmt: skip


def page(text: str) -> str:
    """The page with both tables written anew. Raises ValueError without a place for one."""
    return _between(_between(text, "table", _formats()), "limits", _limits())


def _between(text: str, name: str, table: str) -> str:
    begin = f"<!-- {name}: written by docs/generate_formats.py; do not edit -->"
    before, after = text.index(begin), text.index(f"<!-- /{name} -->")
    return "\n\n".join((text[:before] + begin, table, text[after:]))


def _formats() -> str:
    rows = [
        "| format | media types | keys of `body` | manifest | stream |",
        "|---|---|---|---|---|",
    ]
    for name in (name for name in Format if name in FORMATS and "." not in name):
        reader = FORMATS[name]
        types, keys = (
            ", ".join(f"`{each}`" for each in several)
            for several in (reader.media_types, sorted(reader.settings))
        )
        can = (("yes" if able else "") for able in (reader.vouching, reader.streams))
        rows.append(f"| `{name}` | {types} | {keys} | {' | '.join(can)} |")
    return "\n".join(rows)


def _limits() -> str:
    rows = ["| limit | default | of | refused with |", "|---|---|---|---|"]
    for each in fields(Limits):
        of, code = LIMITS[each.name]
        assert isinstance(each.default, int)
        size = each.name in ("body", "decoded", "record")
        default = spell_size(each.default) if size else f"{each.default:,}"
        rows.append(f"| `{each.name}` | {default} | {of} | `{code}` |")
    return "\n".join(rows)


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
