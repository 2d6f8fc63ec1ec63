"""An identifier → the others that a policy must not take it for.

    foreign     somebody else's, of the same make
    type        the same characters as another type: 42 and "42"
    look-alike  another case, a space, a character that looks or normalises the same

Each is given as JSON text, because JSON alone can say some of them (`42.0`, `["A1"]`).
"""

import json
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

from gateway.model import SubjectRef

_HOMOGLYPHS = str.maketrans("aceiopxyABCEHKMOPTX", "асеіорхуАВСЕНКМОРТХ")
"""Latin letters, and the Cyrillic ones that look like them (Unicode TR 39)."""

_INT64 = range(-(2**63), 2**63)
_WHOLE = re.compile(r"-?(?:0|[1-9][0-9]{0,18})")


@dataclass(frozen=True, slots=True)
class Variant:
    """Another value. `how` says what was done to the old one, `text` is JSON."""

    how: str
    text: str

    @property
    def value(self) -> str | int | None:
        """The value where it is an identifier; None where no reader should take it for one."""
        value = json.loads(self.text)
        return value if type(value) is str or (type(value) is int and value in _INT64) else None


def foreign(
    value: str | int,
    others: frozenset[str | int] = frozenset(),
    known: frozenset[str | int] = frozenset(),
) -> Variant:
    """Somebody else's: a real one from `others` of the same type, else one made up from it that is
    none of the `known`."""
    real = sorted((each for each in others if type(each) is type(value)), key=repr)
    if real:
        return Variant("another's", json.dumps(real[0], ensure_ascii=False))
    made = next(each for each in _made_up(value) if each not in known and each != value)
    return Variant("a stranger's", json.dumps(made, ensure_ascii=False))


def _made_up(value: str | int) -> Iterator[str | int]:
    """Values of the same make: the last digits are others."""
    if type(value) is int:
        yield from (value + step if value < 2**62 else value - step for step in count(1))
    text = str(value)
    stem = text.rstrip("0123456789")
    width = len(text) - len(stem)
    for number in range(10**width - 1, 0, -1):
        yield f"{stem}{number:0{width}}"
    yield from (f"{text}-{number}" for number in count(1))


def types(value: str | int) -> Iterator[Variant]:
    """The same characters, as something else."""
    if type(value) is int:
        yield Variant("as text", json.dumps(str(value)))
        yield Variant("as a float", f"{value}.0")
    elif _WHOLE.fullmatch(str(value)) and int(value) in _INT64:
        yield Variant("as a number", str(value))
    yield Variant("as a list of one", json.dumps([value], ensure_ascii=False))
    yield Variant("as null", "null")


def lookalikes(value: str | int) -> Iterator[Variant]:
    """Texts that a careless comparison takes for this one. An integer has none."""
    if type(value) is not str:
        return
    found = {
        "another case": value.swapcase(),
        "a space behind": f"{value} ",
        "a space before": f" {value}",
        "a letter of another script": value.translate(_HOMOGLYPHS),
        "a zero-width space inside": f"{value[:1]}\u200b{value[1:]}",
        "full-width characters": "".join(map(_wide, value)),
        "another normal form": _other_form(value),
        "a zero before": f"0{value}" if value.isdecimal() else value,
    }
    for how, text in found.items():
        if text != value:
            yield Variant(how, json.dumps(text, ensure_ascii=False))


def _wide(character: str) -> str:
    """U+FF01 to U+FF5E, which NFKC folds to ASCII."""
    return chr(ord(character) + 0xFEE0) if "!" <= character <= "~" else character


def _other_form(text: str) -> str:
    decomposed = unicodedata.normalize("NFD", text)
    return decomposed if decomposed != text else unicodedata.normalize("NFC", text)


def shown(owner: SubjectRef) -> str:
    """`account:A1`; a number has no quotes, a text that looks like one has."""
    return f"{owner.kind}:{json.dumps(owner.value, ensure_ascii=False)}"
