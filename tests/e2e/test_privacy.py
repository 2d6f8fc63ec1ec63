"""Planted identifiers appear in nothing that the gateway writes, shows or leaves behind."""

import asyncio
from pathlib import Path

from tests.e2e.conftest import DEPLOYMENT, EXPORTS, endpoints
from tests.support.gateway import ExportService, configuration, running, serving
from tests.support.issuer import TestIssuer

CALLER = "canary-caller-51c0"
OTHER = "canary-other-9d2e"
HEADER = "canary-header-77aa"
PATH = "canary-path-1b2c"
ISSUED = "canary-issuer-4e4e"
CANARIES = (CALLER, OTHER, HEADER, PATH, ISSUED)

BODIES = {
    "own": EXPORTS["json"].of(CALLER),
    "foreign": EXPORTS["json"].of(OTHER),
    "cut": EXPORTS["json"].of(OTHER)[:-3],
    "duplicate": b'{"orders":[{"customer":{"id":"%s","id":"x"}}]}' % OTHER.encode(),
    "not json": f"<html>{OTHER}</html>".encode(),
    "bad utf-8": b'{"orders":[{"customer":{"id":"%s\xff"}}]}' % OTHER.encode(),
    "id is a list": b'{"orders":[{"customer":{"id":["%s"]}}]}' % OTHER.encode(),
    "key is an id": b'{"%s":{"orders":[]}}' % OTHER.encode(),
}


async def test_no_canary_is_in_any_log_metric_error_or_file(
    tmp_path: Path, issuer: TestIssuer
) -> None:
    service = ExportService()
    async with serving(service) as upstream:
        config = configuration(
            tmp_path, issuer, upstream, endpoints(), deployment=DEPLOYMENT, log_level="debug"
        )
        answers = []
        async with running(config) as gateway:
            token = issuer.token(sub=CALLER, email=f"{CALLER}@example.org")
            for suffix in ("", "-partial"):
                for name, export in EXPORTS.items():
                    for owners in ((CALLER,), (OTHER,), (CALLER, OTHER)):
                        body = export.of(*owners)
                        service.answer(export.path + suffix, body, export.media_type)
                        answer = await gateway.get(export.path + suffix, token)
                        if answer.status == 200:
                            assert OTHER.encode() not in answer.body, (name, owners)
                        else:
                            answers.append(answer)
            path = EXPORTS["json"].path
            for body in BODIES.values():
                service.answer(path, body, "application/json")
                answers.append(await gateway.get(path, token))
            service.answer(path, OTHER.encode(), "text/plain", status=500)
            answers.append(await gateway.get(path, token))
            service.answer(path, BODIES["own"], f"application/{OTHER}")
            answers.append(await gateway.get(path, token))
            service.answer(path, BODIES["own"], "application/json")
            answers += [
                await gateway.get(f"/{PATH}", token),
                await gateway.get(f"{path}?email={PATH}%ff", token),
                await gateway.get(f"{path}/..;{PATH}", token),
                await gateway.get(path, issuer.token(sub=CALLER, iss=ISSUED)),
                await gateway.get(path, issuer.expired(sub=CALLER)),
                await gateway.get(path, CALLER),
                await gateway.get(path, token, **{"X-User": HEADER, "Referer": HEADER}),
            ]
            raw = f"GET {path} HTTP/1.1\r\nHost: a\r\nBad{HEADER}\x01: {HEADER}\r\n\r\n"
            answers_raw = await send(gateway.url, raw.encode())
            asked = gateway.asked
            metrics = await gateway.metrics()
            health = str(await gateway.checks())
            given = ("gateway.yaml", "jwks.json", "pseudonym-key")
            files = [file for file in tmp_path.rglob("*") if file.is_file()]
            left = [file.read_bytes() for file in files if file.name not in given]
            entries = gateway.entries()
        stderr = gateway.stderr()
    for canary in CANARIES:
        assert canary not in stderr
        assert canary not in metrics
        assert canary not in health
        assert all(canary.encode() not in data for data in left)
        assert canary.encode() not in answers_raw
        for answer in answers:
            if answer.status != 200:
                assert canary.encode() not in answer.body
                assert canary not in str(answer.headers)
    assert len(entries) == asked + 1  # and the one that the parser refused
    assert {"body_malformed", "body_ambiguous", "endpoint_unknown"} <= {
        entry.get("code") for entry in entries
    }


async def send(url: str, request: bytes) -> bytes:
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(request)
    await writer.drain()
    writer.write_eof()
    answer = await reader.read()
    writer.close()
    return answer


async def test_refusals_of_different_foreign_exports_are_the_same_to_the_last_byte(
    tmp_path: Path, issuer: TestIssuer
) -> None:
    service = ExportService()
    async with serving(service) as upstream:
        config = configuration(tmp_path, issuer, upstream, endpoints())
        async with running(config) as gateway:
            seen = set()
            for owners in (("B",), ("a-much-longer-identifier",) * 40, (CALLER, "B")):
                service.answer(
                    EXPORTS["json"].path, EXPORTS["json"].of(*owners), "application/json"
                )
                answer = await gateway.get(EXPORTS["json"].path, issuer.token(sub=CALLER))
                exchange = answer.headers["X-Exchange-Id"]
                headers = {k: v for k, v in answer.headers.items() if k != "X-Exchange-Id"}
                body = answer.body.replace(exchange.encode(), b"")
                seen.add((answer.status, str(sorted(headers.items())), body))
            assert len(seen) == 1
