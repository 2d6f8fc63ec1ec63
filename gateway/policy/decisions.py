"""A question's whole way: encode, evaluate, hold the answer against the contract."""

import time

from gateway.errors import Refusal
from gateway.log import Log
from gateway.model import Decision
from gateway.policy.contract import Question, encode_question, read_answer
from gateway.policy.engine import Engine

_LOG = Log(__name__)


class PolicyDecisions:
    """Decides by an engine. The `Policy` of the exchange."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def decide(self, question: Question) -> Decision:
        """The checked decision, a block included. Raises Unavailable, or BadUpstream for subjects
        that can't be asked about exactly."""
        began = time.perf_counter()
        try:
            evaluation = await self._engine.evaluate(encode_question(question))
            decision = read_answer(evaluation.raw, question, evaluation.revision)
        except Refusal as refusal:
            _LOG.debug("no decision", code=refusal.code.value, check=refusal.note)
            raise
        if _LOG.debugging:
            _LOG.debug(
                "decided",
                phase=question.phase.value,
                endpoint=question.endpoint,
                effect=decision.effect.value,
                permitted=len(decision.permitted),
                revision=decision.revision,
                milliseconds=round((time.perf_counter() - began) * 1000, 3),
            )
        return decision
