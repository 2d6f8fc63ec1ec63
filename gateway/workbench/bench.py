"""A killable process with regorus in it, for the tools."""

from typing import Self

import msgspec

from gateway.workbench.account import Answer, Broken, Job, Setup, decode_answer, encode_job
from gateway.workbench.modules import Modules
from gateway.workbench.unusable import Unusable
from gateway.workers.pool import WorkerPool
from gateway.workers.worker import WorkerDied, WorkerError, WorkerLate

_ENTRY = "gateway.workbench.rego:serve"
DEADLINE = 30.0


class RegoBench:
    """Accounts for decisions and runs tests on these modules. Raises Unusable on entering where
    there is no process to be had."""

    def __init__(self, modules: Modules) -> None:
        setup = msgspec.msgpack.encode(Setup(dict(modules.texts), modules.data))
        self._pool = WorkerPool(entry=_ENTRY, setup=setup)

    async def __aenter__(self) -> Self:
        try:
            await self._pool.start()
        except WorkerError:
            raise Unusable("regorus does not survive loading the bundle") from None
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._pool.stop()

    async def ask(self, job: Job, deadline: float = DEADLINE) -> Answer:
        """The answer; Broken also where the engine ran too long or ended."""
        try:
            answer: Answer = decode_answer(
                await self._pool.call(encode_job(job), deadline=deadline)
            )
            return answer
        except WorkerLate:
            return Broken(f"still running after {deadline:g}s")
        except WorkerDied:
            return Broken("the engine did not survive it")
