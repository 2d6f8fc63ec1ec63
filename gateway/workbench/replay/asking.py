"""One policy on the embedded engine, asked about logged exchanges."""

import asyncio
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import msgspec

from gateway.errors import Unavailable
from gateway.model import Attribution, Caller, Format, Group, Inspection, Phase, SubjectRef
from gateway.policy.bundle import BundleError
from gateway.policy.contract import Question, read_answer
from gateway.policy.embedded import EmbeddedEngine
from gateway.policy.settings import PolicySettings
from gateway.workbench.replay.disguises import Disguises
from gateway.workbench.replay.entries import Exchange
from gateway.workbench.replay.verdicts import Verdict, decided
from gateway.workbench.unusable import Unusable

_PATIENCE = 10.0
"""Seconds for one evaluation: a busy machine is no difference between two policies."""


@dataclass(frozen=True, slots=True)
class Rules:
    """Which policy: a bundle's folder (the shipped one if None), and a deployment's own data."""

    bundle: Path | None = None
    data: Path | None = None


class Policy:
    """Decides while it is entered. Raises Unusable on entering a bundle that can't be used."""

    def __init__(self, rules: Rules, disguises: Disguises) -> None:
        settings = PolicySettings(
            bundle=rules.bundle,
            data=rules.data,
            deadline=_PATIENCE,
            workers=min(os.cpu_count() or 1, 16),
        )
        self._engine, self._disguises = EmbeddedEngine(settings), disguises

    async def __aenter__(self) -> Self:
        try:
            await self._engine.start()
        except BundleError as error:
            raise Unusable(str(error)) from None
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._engine.stop()

    async def decide(self, exchange: Exchange) -> Verdict | None:
        """The policy's verdict, None where the two disguises of the question get two verdicts."""
        plain, turned = self._disguises.of(exchange.question)
        one, other = await asyncio.gather(self._ask(plain), self._ask(turned))
        return one if one == other else None

    async def _ask(self, question: bytes) -> Verdict:
        asked, places = _outline(question)
        try:
            evaluation = await self._engine.evaluate(question)
            decision = read_answer(evaluation.raw, asked, evaluation.revision)
        except Unavailable as failure:
            return Verdict(None, code=failure.code)
        return decided(decision, places)


class _Subject(msgspec.Struct):
    kind: str
    value: str | int


class _Orphans(msgspec.Struct):
    records: int


class _Payload(msgspec.Struct):
    subjects: list[_Subject]
    unattributed: _Orphans


class _Asked(msgspec.Struct):
    payload: _Payload


_ASKED = msgspec.json.Decoder(_Asked)


def _outline(question: bytes) -> tuple[Question, dict[SubjectRef, int]]:
    """As much of a question as its answer is held against, the subjects and the number of records
    without an owner; and each subject's place."""
    payload = _ASKED.decode(question).payload
    subjects = [SubjectRef(each.kind, each.value) for each in payload.subjects]
    groups = [Group((subject,), Attribution.DIRECT, "", 1) for subject in subjects]
    if orphans := payload.unattributed.records:
        groups.append(Group((), Attribution.NONE, "", orphans))
    seen = Inspection(Format.JSON, tuple(groups), (), 0, 0, 0)
    return _NOTHING.about(seen), {subject: place for place, subject in enumerate(subjects)}


_NOTHING = Question(
    phase=Phase.REQUEST,
    exchange_id="",
    received_at=datetime.fromtimestamp(0, UTC),
    endpoint="",
    labels={},
    method="",
    path=(),
    params={},
    query={},
    caller=Caller("", "", ()),
)
