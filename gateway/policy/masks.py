"""How a policy's answer says what is masked, and what becomes of it (`inspection/masking.py`).

"$.phone"                            null
{"path": "$.phone", "text": "…"}     this text
{"path": "$.iban", "keep": 4}        the first characters
{"path": "$.id", "pseudonym": true}  a keyed pseudonym
"""

from typing import Annotated

import msgspec

from gateway.model import Mask

# The subset of RFC 9535 that formats can mask; `$` alone would be the record itself.
Path = Annotated[
    str,
    msgspec.Meta(
        max_length=1024,
        pattern=(
            r"^\$(\.[^\x00-@\[-^`{-\x7f][^\x00-/:-@\[-^`{-\x7f]*"
            r"|\.\*|\[\*\]"
            r"|\['([^'\\]|\\['\\])*'\]"
            r'|\["([^"\\]|\\["\\])*"\])+\Z'
        ),
    ),
]

# One text in every format: no control, no quote, nothing that a spreadsheet takes for a formula.
_UNFIT = r'\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff"\\'
Text = Annotated[
    str,
    msgspec.Meta(
        min_length=1, max_length=64, pattern=rf"^[^{_UNFIT} =+@-]([^{_UNFIT}]*[^{_UNFIT} ])?\Z"
    ),
]
Keep = Annotated[int, msgspec.Meta(ge=1, le=1024)]


class Masked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A field whose value becomes something else than null: exactly one of the three."""

    path: Path
    text: Text | msgspec.UnsetType = msgspec.UNSET
    keep: Keep | msgspec.UnsetType = msgspec.UNSET
    pseudonym: bool | msgspec.UnsetType = msgspec.UNSET


Given = Path | Masked


def read(given: Given) -> Mask:
    """Raises ValueError for none or several of the three."""
    match given:
        case str():
            return Mask(given)
        case Masked(path, text=str(text), keep=msgspec.UNSET, pseudonym=msgspec.UNSET):
            return Mask(path, text=text)
        case Masked(path, text=msgspec.UNSET, keep=int(keep), pseudonym=msgspec.UNSET):
            return Mask(path, keep=keep)
        case Masked(path, text=msgspec.UNSET, keep=msgspec.UNSET, pseudonym=True):
            return Mask(path, pseudonym=True)
        case _:
            raise ValueError("a mask with none or several of text, keep and pseudonym: true")
