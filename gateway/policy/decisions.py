"""A question's whole way: encode, evaluate, hold the answer against the contract."""

from gateway.model import Decision
from gateway.policy.contract import Question, encode_question, read_answer
from gateway.policy.engine import Engine


class PolicyDecisions:
    """Decides by an engine. The `Policy` of the exchange."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def decide(self, question: Question) -> Decision:
        """The checked decision, a block included. Raises Unavailable, or BadUpstream for subjects
        that can't be asked about exactly."""
        evaluation = await self._engine.evaluate(encode_question(question))
        return read_answer(evaluation.raw, question, evaluation.revision)
