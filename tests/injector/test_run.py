"""The real program: `privacy-gateway injector`, over real TLS, with an API server beside it."""

import asyncio
import json
import shutil
import ssl
import subprocess
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.injector.generations import issue
from tests.conftest import missing
from tests.support.kubernetes import PLACES, FakeApi, serving
from tests.support.pods import (
    CANARY,
    RunningInjector,
    answered,
    ask,
    pod,
    review,
    running,
    sidecar,
)

NAME = "injector.system.svc"


def options(folder: Path, api: FakeApi, *more: str) -> list[str]:
    file = folder / "sidecar.yaml"
    if not file.exists():
        file.write_bytes(sidecar())
    return [
        f"--sidecar={file}", f"--api={api.url}", f"--account={api.account}", f"--name={NAME}",
        f"--secret={PLACES.namespace}/{PLACES.secret}", f"--webhook={PLACES.webhook}",
        "--drain=0s", *more,
    ]  # fmt: skip


async def test_it_makes_its_certificate_injects_and_ends(tmp_path: Path) -> None:
    async with serving(FakeApi(tmp_path)) as api, running(tmp_path, *options(tmp_path, api)) as it:
        await it.until(200)
        status, body = await ask(it.url, review(pod()), api.ca_bundles()[0])
        assert (status, bool(answered(body).patch)) == (200, True)
        text = await it.until(200, "/metrics")
        assert 'privacy_gateway_injector_reviews_total{result="injected"} 1\n' in text
        assert "privacy_gateway_injector_ready 1\n" in text
        assert "privacy_gateway_injector_upkeep_ok 1\n" in text
        assert (await it.admin_text("/healthz"))[0] == 200
        assert await it.stop() == 0
        assert CANARY not in it.stderr.read_text()


async def test_curl_is_answered_as_the_api_server_is(tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        missing("there is no curl")
    async with serving(FakeApi(tmp_path)) as api, running(tmp_path, *options(tmp_path, api)) as it:
        await it.until(200)
        (tmp_path / "ca.pem").write_bytes(api.ca_bundles()[0])
        (tmp_path / "review.json").write_bytes(review(pod()))
        found = await asyncio.to_thread(
            subprocess.run,
            ["curl", "-sS", "--max-time", "30", "--cacert", "ca.pem", "--resolve",
             f"{NAME}:{it.port}:127.0.0.1", "-H", "Content-Type: application/json",
             "--data-binary", "@review.json", f"https://{NAME}:{it.port}/inject?timeout=5s"],
            cwd=tmp_path, capture_output=True,
        )  # fmt: skip
        assert found.returncode == 0, found.stderr
        assert answered(found.stdout).patch


async def test_until_the_api_server_is_there_it_is_not_ready_and_keeps_trying(
    tmp_path: Path,
) -> None:
    api = FakeApi(tmp_path)
    async with serving(api):
        port = int(api.url.rpartition(":")[2])
    async with running(tmp_path, *options(tmp_path, api, "--lifetime=20s")) as it:
        text = await it.until(503)
        checks = json.loads(text)["checks"]
        assert checks == {
            "accepting": True, "sidecar": True, "certificate": False, "trusted": False,
        }  # fmt: skip
        assert (await it.admin_text("/healthz"))[0] == 200
        async with serving(api, port):
            await it.until(200)


@pytest.mark.parametrize("content", [None, b"container: {}"])
async def test_an_unfit_sidecar_is_never_ready_and_a_fit_one_is_taken_up(
    tmp_path: Path, content: bytes | None
) -> None:
    async with serving(FakeApi(tmp_path)) as api:
        given = options(tmp_path, api)
        file = tmp_path / "sidecar.yaml"
        file.unlink()
        if content:
            file.write_bytes(content)
        async with running(tmp_path, *given) as it:
            await it.until(503, containing='"trusted": true')
            status, body = await ask(it.url, review(pod()), api.ca_bundles()[0])
            assert (status, b"allowed" in body) == (503, False)
            file.write_bytes(sidecar())
            await it.until(200)
            file.write_bytes(b"container: {}")
            await it.until(200, "/metrics", containing="injector_sidecar_current 0\n")
            status, body = await ask(it.url, review(pod()), api.ca_bundles()[0])
            assert answered(body).patch, "the last good one stays"


async def test_two_replicas_change_certificates_under_load_and_no_handshake_fails(
    tmp_path: Path,
) -> None:
    """An API server that learns of a new caBundle only a while after it was written."""
    folders = [tmp_path / name for name in ("api", "one", "two")]
    for folder in folders:
        folder.mkdir()
    api = FakeApi(folders[0])
    learnt: list[bytes] = []
    loop = asyncio.get_running_loop()
    api.on_trusted = lambda found: void(loop.call_later(0.3, learnt.append, found))
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(serving(api))
        replicas = [
            await stack.enter_async_context(
                running(folder, *options(folder, api, "--lifetime=24s"))
            )
            for folder in folders[1:]
        ]
        for replica in replicas:
            await replica.until(200)

        async def load(replica: RunningInjector) -> int:
            served: set[bytes] = set()
            count = 0
            while len(served) < 2:
                status, body = await ask(replica.url, review(pod()), learnt[-1])
                assert (status, bool(answered(body).patch)) == (200, True)
                served.add(await seen(replica))
                count += 1
            return count

        async with asyncio.timeout(90):
            while not learnt:
                await asyncio.sleep(0)
            counts = await asyncio.gather(*map(load, replicas))
        assert min(counts) > 2
        assert len(api.generations()) == 2


def void(_: object) -> None: ...


async def until_served(replica: RunningInjector, ca: bytes) -> int:
    """The status, as soon as the certificate is one of this CA's."""
    async with asyncio.timeout(60):
        while True:
            try:
                return (await ask(replica.url, review(pod()), ca))[0]
            except OSError:
                await asyncio.sleep(0.1)  # a bounded poll of another process


async def seen(replica: RunningInjector) -> bytes:
    """The certificate that is served now."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    _, writer = await asyncio.open_connection("127.0.0.1", replica.port, ssl=context)
    found: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return found


async def test_a_mounted_certificate_is_read_again_when_it_changes(tmp_path: Path) -> None:
    made = [issue([NAME], datetime.now(UTC), timedelta(hours=1)) for _ in range(2)]
    folder = tmp_path / "certificate"
    folder.mkdir()
    (tmp_path / "sidecar.yaml").write_bytes(sidecar())

    def write(number: int) -> None:
        key, begin, rest = made[number].serving.partition(b"-----BEGIN CERTIFICATE-----")
        (folder / "tls.crt").write_bytes(begin + rest)
        (folder / "tls.key").write_bytes(key)

    given = [f"--sidecar={tmp_path / 'sidecar.yaml'}", f"--certificate={folder}", "--drain=0s"]
    async with running(tmp_path, *given) as it:
        await it.until(503, containing='"certificate": false')
        for number in range(2):
            write(number)
            assert await until_served(it, made[number].ca) == 200
        (folder / "tls.key").write_text("nonsense")
        await it.until(200, "/metrics", containing="injector_upkeep_ok 0\n")
        assert (await ask(it.url, review(pod()), made[1].ca))[0] == 200
        assert await it.stop() == 0


async def test_after_a_stop_reviews_are_still_taken_until_everybody_knows(tmp_path: Path) -> None:
    async with serving(FakeApi(tmp_path)) as api:
        given = [each for each in options(tmp_path, api) if not each.startswith("--drain")]
        async with running(tmp_path, *given, "--drain=3s") as it:
            await it.until(200)
            it.process.terminate()
            await it.until(503, containing='"accepting": false')
            status, body = await ask(it.url, review(pod()), api.ca_bundles()[0])
            assert (status, bool(answered(body).patch)) == (200, True)
            assert await it.process.wait() == 0


async def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    taken = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = taken.sockets[0].getsockname()[1]
    async with taken, serving(FakeApi(tmp_path)) as api:
        with pytest.raises(AssertionError, match="cannot start"):
            async with running(tmp_path, *options(tmp_path, api, f"--listen=127.0.0.1:{port}")):
                pass
