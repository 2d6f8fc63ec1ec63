"""A decision that is asked for as a body comes: the inspection of a stream release.

Records are counted as `inspect` counts them, batch by batch, just before they are judged. What was
not seen before (owners, an attribution, a category, the name of a field) is a new question, about
all that was seen so far; anything else stays under the last answer.
"""

from collections.abc import Callable, Iterable, Sequence

from gateway.errors import BadUpstream, Code
from gateway.inspection.settings import Limits
from gateway.inspection.tally import Owners, Tally
from gateway.model import Attribution, Decision

_MOST = 1_000
"""Questions about one body. Each of them asks about all subjects so far, and is an entry of the
log: without an end, a body of many owners would fill the disk with what was asked about it."""

Ask = Callable[[Tally], Decision]
"""Returns the decision that is in force from now on, or raises."""


class Asking:
    """Counts the records of one body, and asks where something new is among them.

    Raises BadUpstream(BODY_TOO_COMPLEX) past the limits of a tally, or for too many questions.
    """

    def __init__(self, limits: Limits, ask: Ask) -> None:
        self.tally = Tally(limits)
        self._ask = ask
        self._questions = 0
        self._distinct = (0, 0)
        self._decision: Decision | None = None

    def sees(self, names: Iterable[str]) -> None:
        """Note the names of fields of the records that are judged next."""
        self.tally.add_fields(names)

    def judge(
        self,
        owners: Sequence[Owners],
        category: str,
        attribution: Attribution = Attribution.DIRECT,
    ) -> Decision:
        """The decision in force for the next records, whose owners these are."""
        self.tally.add_each(owners, lambda each: each, attribution, category)
        return self.decision()

    def decision(self) -> Decision:
        """The last answer, or a new one where there is something to ask: at the end of a body
        without records there is, too."""
        distinct = self.tally.distinct
        if self._decision is None or distinct != self._distinct:
            self._questions += 1
            if self._questions > _MOST:
                raise BadUpstream(Code.BODY_TOO_COMPLEX, "more questions than one stream may ask")
            self._decision, self._distinct = self._ask(self.tally), distinct
        return self._decision
