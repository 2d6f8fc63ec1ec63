"""Which of two editions is the older one, and what may follow what.

Three forms of revisions are in order, each by itself: a whole number, a version of two to four
numbers, a UTC time (RFC 3339). Between two forms, or where there is no form, there is no order.
Why this rule and no other: docs/adr/0006.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from gateway.policy.bundles.contents import Edition
from gateway.policy.bundles.faults import BundleError

_NUMBER = re.compile(r"[0-9]{1,18}")
_VERSION = re.compile(r"v?([0-9]{1,9}(?:\.[0-9]{1,9}){1,3})")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?Z")


class Form(Enum):
    """How a revision is written, where that gives it an order."""

    NUMBER = "a number"
    VERSION = "a version"
    TIME = "a time"


@dataclass(frozen=True, slots=True)
class Order:
    """The place of a revision among those of the same form."""

    form: Form
    place: tuple[int | float, ...]


def order(revision: str) -> Order | None:
    """The order of a revision, None where it has none. What follows a `+` doesn't count."""
    text = revision.partition("+")[0]
    if _NUMBER.fullmatch(text):
        return Order(Form.NUMBER, (int(text),))
    if version := _VERSION.fullmatch(text):
        numbers = [*map(int, version[1].split(".")), 0, 0]
        return Order(Form.VERSION, tuple(numbers[:4]))
    if _TIME.fullmatch(text):
        try:
            return Order(Form.TIME, (datetime.fromisoformat(text).timestamp(),))
        except ValueError:  # the 30th of February
            return None
    return None


def check_succession(active: Edition | None, candidate: Edition, origin: str) -> None:
    """Raises BundleError where the candidate is older than what is active, or only claims to be
    the same."""
    if active is None or candidate.digest == active.digest:
        return
    if candidate.revision and candidate.revision == active.revision:
        raise BundleError(origin, "has the revision of the active bundle, but other content")
    before, after = order(active.revision), order(candidate.revision)
    if before is None:
        return
    if after is None or after.form is not before.form:
        said = f"the active revision is {before.form.value}, and this one is not"
        raise BundleError(origin, f"{said}, so that it may be older")
    if after.place < before.place:
        raise BundleError(origin, "its revision is older than the active one")
    if after.place == before.place:
        raise BundleError(origin, "its revision is not newer than the active one")
