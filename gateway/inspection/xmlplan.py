"""An endpoint's XPath locators, compiled: where an XML scan goes, and whose what it finds is."""

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.errors import BadUpstream, Code
from gateway.inspection import masking
from gateway.inspection.locators import LocatorError
from gateway.inspection.settings import BodySpec, MemberSpec
from gateway.inspection.tally import Owners
from gateway.inspection.xmlpaths import Found
from gateway.inspection.xpath import Path, compile, compile_mask, compile_records
from gateway.model import Attribution, Mask, SubjectRef

_MAX_KNOWN = 16_384


class Plan:
    """The locators of one body. `paths` are those of its subject, and behind them `more`; `kinds`
    say which of them name an owner of which kind. `attribution` is how a record has its owners: by
    what contains it, where there is a kind that only elements above it name. `masks` say what each
    path masks, the strictest first, and `ranks` which is how strict.

    Raises LocatorError, and BadUpstream(REDACTION_UNSUPPORTED) for a mask.
    """

    def __init__(
        self, spec: BodySpec | MemberSpec, masks: Sequence[Mask] = (), more: Sequence[str] = ()
    ) -> None:
        namespaces = spec.namespaces
        self.records = compile_records(spec.records, namespaces)
        texts = dict.fromkeys(
            text for owner in spec.subject for found in owner.values() for text in found
        )
        places = {text: place for place, text in enumerate(texts)}
        self.paths = [compile(text, self.records, namespaces) for text in (*texts, *more)]
        self.kinds = [
            (kind, [places[text] for text in found])
            for owner in spec.subject
            for kind, found in owner.items()
        ]
        self.uris = frozenset(namespaces.values())
        above = (all(self.paths[place].climbs for place in places) for _, places in self.kinds)
        self.attribution = Attribution.CONTAINER if any(above) else Attribution.DIRECT
        self.masks = _masks(masks, namespaces)
        self.ranks = {path: rank for rank, path in enumerate(self.masks)}
        self._known: dict[Any, Owners] = {}

    @property
    def depth(self) -> int:
        """How deep the records stand; the root is at depth 1."""
        return len(self.records)

    def climbing(self, depth: int) -> list[tuple[int, Path]]:
        """The locators that come down from the element above the records at this depth."""
        climbs = self.depth - depth
        return [(place, path) for place, path in enumerate(self.paths) if path.climbs == climbs]

    def owners(self, found: Sequence[Found]) -> Owners:
        """The owners of a record, from what each locator found; as `Attributor.of` has it.

        Raises BadUpstream(BODY_AMBIGUOUS) for locators of one kind that disagree.
        """
        key = tuple(tuple(each.values) if each.whole else () for each in found)
        known = self._known.get(key)
        if known is None:
            if len(self._known) > _MAX_KNOWN:
                self._known.clear()
            known = self._known[key] = self._agreed(key)
        return known

    def named(self, found: Mapping[int, Found]) -> Owners:
        """Those whom something above the records names: whoever a locator found in it."""
        owners = {
            SubjectRef(kind, value): None
            for kind, places in self.kinds
            for place in places
            if place in found
            for value in found[place].values
        }
        return tuple(owners)

    def _agreed(self, key: tuple[tuple[str, ...], ...]) -> Owners:
        owners: dict[SubjectRef, None] = {}
        absent = not self.kinds
        for kind, places in self.kinds:
            values = [key[place] for place in places]
            absent = absent or not all(values)
            if len({frozenset(each) for each in values if each}) > 1:
                note = f"the locators of {kind} find different identifiers"
                raise BadUpstream(Code.BODY_AMBIGUOUS, note)
            owners.update((SubjectRef(kind, value), None) for each in values for value in each)
        return () if absent else tuple(owners)


def _masks(masks: Sequence[Mask], namespaces: Mapping[str, str]) -> dict[Path, Mask]:
    found: dict[Path, Mask] = {}
    try:
        for mask in masking.strictest_first(masks):
            found.setdefault(compile_mask(mask.path, namespaces), mask)
    except LocatorError:
        raise BadUpstream(Code.REDACTION_UNSUPPORTED, "a mask that no element can have") from None
    return {path: mask for path, mask in found.items() if path.steps or path.attributes}
