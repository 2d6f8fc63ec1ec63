"""A real Prometheus for tests: scrapes what it is told, evaluates rule files, answers queries.

    async with Prometheus(folder, {"job": [gateway.admin]}, [recording, alerts]) as server:
        await server.until('privacy_gateway_ready == 1')
        await server.alerts()

It listens on loopback, keeps everything in `folder`, and ends with the block. Native histograms
and exemplars are on, so that it asks for protobuf first, as a current server does.
"""

import asyncio
import json
import re
import shutil
import socket
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from aiohttp import ClientError, ClientSession

from tests.conftest import missing

_FEATURES = "native-histograms,exemplar-storage"
_POLL = 0.1
_DURATION = re.compile(r"(?:\d+(?:ms|[smhdwy]))+")


@dataclass(frozen=True)
class Sample:
    """One series of an instant query; a scalar has no labels."""

    labels: Mapping[str, str]
    value: float


@dataclass(frozen=True)
class Alert:
    """One active alert. `state` is pending or firing."""

    name: str
    state: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]


class QueryFailed(AssertionError):
    """Prometheus refused a query; the text is its own."""


class NeverTrue(AssertionError):
    """What was waited for did not come before the deadline."""


@dataclass
class Prometheus:
    """A server process. `targets` are jobs and their addresses (`host:port` or a URL).

    `rules` are rule files, taken as they are; `interval` is the scrape and evaluation interval of
    groups that have none of their own. `features` may be emptied for a server without native
    histograms.
    """

    folder: Path
    targets: Mapping[str, Sequence[str]]
    rules: Sequence[Path] = ()
    interval: str = "1s"
    features: str = _FEATURES
    honor_labels: bool = True
    url: str = ""
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def __aenter__(self) -> Self:
        async with self._stack as stack:
            self._session = await stack.enter_async_context(ClientSession())
            self._process = await self._start(stack)
            await self._until_ready()
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    @property
    def log(self) -> Path:
        return self.folder / "prometheus.log"

    async def query(self, expression: str, at: float | None = None) -> list[Sample]:
        """An instant query, now or at a Unix time. Raises QueryFailed."""
        parameters = {"query": expression} | ({"time": str(at)} if at is not None else {})
        data = await self._get("/api/v1/query", parameters)
        if data["resultType"] == "scalar":
            return [Sample({}, float(data["result"][1]))]
        return [
            Sample(each["metric"], float(each["value"][1]) if "value" in each else float("nan"))
            for each in data["result"]
        ]

    async def query_range(
        self, expression: str, start: float, end: float, step: float
    ) -> list[dict[str, Any]]:
        """A range query, as the API answers it: `metric`, and `values` or `histograms`."""
        parameters = {
            "query": expression, "start": str(start), "end": str(end), "step": str(step),
        }  # fmt: skip
        result: list[dict[str, Any]] = (await self._get("/api/v1/query_range", parameters))[
            "result"
        ]
        return result

    async def exemplars(self, expression: str, start: float, end: float) -> list[dict[str, Any]]:
        """Exemplars as the API answers them."""
        parameters = {"query": expression, "start": str(start), "end": str(end)}
        found: Any = await self._get("/api/v1/query_exemplars", parameters)
        return list(found or [])

    async def alerts(self) -> list[Alert]:
        """The alerts that are pending or firing now."""
        found = (await self._get("/api/v1/alerts", {}))["alerts"]
        return [
            Alert(each["labels"]["alertname"], each["state"], each["labels"], each["annotations"])
            for each in found
        ]

    async def firing(self) -> set[str]:
        """The names of the alerts that fire now."""
        return {alert.name for alert in await self.alerts() if alert.state == "firing"}

    async def rule_groups(self) -> list[dict[str, Any]]:
        """The rule groups, as the API answers them, with the health of each rule."""
        groups: list[dict[str, Any]] = (await self._get("/api/v1/rules", {}))["groups"]
        return groups

    async def scrape_targets(self) -> list[dict[str, Any]]:
        """The active targets, as the API answers them, with their health."""
        found: list[dict[str, Any]] = (await self._get("/api/v1/targets", {}))["activeTargets"]
        return found

    async def until(self, expression: str, within: float = 30.0) -> list[Sample]:
        """The first result that is not empty. Raises NeverTrue after `within` seconds."""
        ends = time.monotonic() + within
        while not (found := await self.query(expression)):
            await self._wait(ends, expression)
        return found

    async def until_firing(self, names: Iterable[str], within: float = 30.0) -> list[Alert]:
        """The active alerts once all of `names` fire. Raises NeverTrue after `within` seconds."""
        wanted, ends = set(names), time.monotonic() + within
        while wanted - await self.firing():
            await self._wait(ends, f"not firing: {sorted(wanted - await self.firing())}")
        return await self.alerts()

    async def until_quiet(self, names: Iterable[str], within: float = 30.0) -> None:
        """Returns once none of `names` fires. Raises NeverTrue after `within` seconds."""
        unwanted, ends = set(names), time.monotonic() + within
        while unwanted & await self.firing():
            await self._wait(ends, f"still firing: {sorted(unwanted & await self.firing())}")

    async def _wait(self, ends: float, what: str) -> None:
        if time.monotonic() > ends:
            raise NeverTrue(f"{what}\n{self.log.read_text()[-2000:]}")
        await asyncio.sleep(_POLL)  # a bounded poll of another process

    async def _get(self, path: str, parameters: Mapping[str, str]) -> Any:
        async with self._session.get(self.url + path, params=parameters) as answer:
            body = await answer.json(content_type=None)
        if body["status"] != "success":
            raise QueryFailed(f"{parameters.get('query', path)}: {body['error']}")
        return body["data"]

    async def _start(self, stack: AsyncExitStack) -> asyncio.subprocess.Process:
        binary = shutil.which("prometheus")
        if binary is None:
            missing("there is no prometheus on PATH")
        self.folder.mkdir(parents=True, exist_ok=True)
        configuration = self.folder / "prometheus.yml"
        configuration.write_text(json.dumps(self._configuration()))  # JSON is YAML
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{probe.getsockname()[1]}"
        self.url = f"http://{address}"
        with self.log.open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                binary,
                f"--config.file={configuration}",
                f"--storage.tsdb.path={self.folder / 'data'}",
                f"--web.listen-address={address}",
                *([f"--enable-feature={self.features}"] if self.features else []),
                stdout=log, stderr=log,
            )  # fmt: skip
        stack.push_async_callback(_end, process)
        return process

    def _configuration(self) -> dict[str, Any]:
        scrapes = [
            {
                "job_name": job,
                "honor_labels": self.honor_labels,
                "static_configs": [{"targets": [_address(target) for target in targets]}],
            }
            for job, targets in self.targets.items()
        ]
        assert _DURATION.fullmatch(self.interval)
        return {
            "global": {
                "scrape_interval": self.interval,
                "scrape_timeout": self.interval,
                "evaluation_interval": self.interval,
            },
            "rule_files": [str(path) for path in self.rules],
            "scrape_configs": scrapes,
        }

    async def _until_ready(self) -> None:
        ends = time.monotonic() + 30
        while True:
            assert self._process.returncode is None, self.log.read_text()
            with suppress(ClientError):
                async with self._session.get(f"{self.url}/-/ready") as answer:
                    if answer.status == 200:
                        return
            await self._wait(ends, "prometheus is not ready")


def _address(target: str) -> str:
    return target.removeprefix("http://").rstrip("/")


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), 5)
        except TimeoutError:
            process.kill()
    await process.wait()
