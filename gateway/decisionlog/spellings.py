"""Whether a policy's text spells a value of a person: then it is not shown as it is.

The contract bounds how a reason is spelt, not which ones there are, and a careless rule can make
one of an identifier (`sprintf("owner_%s", [lower(id)])`). So a reason, a category or a locator that
spells an identifier of its exchange, in whatever case and with whatever between its parts, is shown
as its pseudonym. A rule that means to hide one (in hexadecimal, backwards) isn't found: whoever
writes policies is trusted not to.
"""

import re
from collections.abc import Iterator
from typing import Any

from gateway.model import Inspection
from gateway.policy.contract import Question

Spelt = bytes
"""The values of an exchange, each folded, between newlines: searched, and never shown."""

NOTHING: Spelt = b""

_FOLD = bytes(
    each if chr(each) in "abcdefghijklmnopqrstuvwxyz0123456789\n" else 95 for each in range(256)
)
"""Everything else is an underscore."""

_WORD = re.compile(r"[a-z][a-z_:. /-]*")
_SHORT = 3


def spellings(question: Question, inspection: Inspection | None = None) -> Spelt:
    """The values of an exchange, in which `spells` looks for a text.

    Identifiers and path parameters whatever they are; of claims and query parameters, which may as
    well be a role or a page, those that are longer than a few letters and no plain lower-case word.
    """
    caller, inspection = question.caller, question.inspection or inspection
    values: list[str | int] = [caller.id, *(each.value for each in caller.identifiers)]
    values += question.params.values()
    if caller.actor:
        values.append(caller.actor.id)
    if inspection:
        values += (owner.value for group in inspection.groups for owner in group.owners)
    # One text, folded in one go: there may be ten thousand subjects. Python refuses to print very
    # long integers, and none of these fits into a name.
    texts = [str(each) for each in values if isinstance(each, str) or each.bit_length() < 256]
    texts += filter(_personal, _leaves([*question.query.values(), caller.claims]))
    return b"\n%s\n" % _folded("\n".join(text.replace("\n", " ") for text in texts))


def spells(text: str, spelt: Spelt) -> bool:
    """Whether some words of a text, in a row, are one of the values `spelt`."""
    words = _folded(text).split(b"_")
    for begin, first in enumerate(words):
        if b"\n" + first in spelt:  # seldom; without it, no value begins here
            for end in range(begin + 1, len(words) + 1):
                if b"\n%s\n" % b"_".join(words[begin:end]) in spelt:
                    return True
    return False


def _folded(text: str) -> bytes:
    """Lines of lower-case letters and digits, with one underscore between them."""
    folded = text.lower().encode("ascii", "replace").translate(_FOLD)
    while b"__" in folded:
        folded = folded.replace(b"__", b"_")
    return folded.replace(b"_\n", b"\n").replace(b"\n_", b"\n").strip(b"_")


def _personal(text: str) -> bool:
    return len(text) >= _SHORT and not _WORD.fullmatch(text)


def _leaves(document: Any) -> Iterator[str]:
    """The texts and whole numbers of claims, names of members included."""
    stack = [document]
    while stack:
        match stack.pop():
            case str() as text:
                yield text
            case bool():
                continue
            case int() as number if number.bit_length() < 256:
                yield str(number)
            case dict() as members:
                stack += [*members, *members.values()]
            case list() | tuple() as members:
                stack += members
