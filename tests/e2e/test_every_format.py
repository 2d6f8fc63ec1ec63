"""Every format through real sockets, on both engines: own passes, foreign blocks, part redacts."""

import gzip

import pytest
from backports import zstd

from tests.e2e.conftest import EXPORTS, FOREIGN, ME, MESSAGE, World
from tests.support.codings import CODED

pytestmark = pytest.mark.opa


CODINGS = [("gzip",), ("deflate",), ("br",), ("zstd",), ("gzip", "br", "zstd")]


def decoded(body: bytes, codings: tuple[str, ...]) -> bytes:
    for coding in reversed(codings):
        body = CODED[coding][1](body)
    return body


def put(
    world: World, name: str, *owners: str, suffix: str = "", codings: tuple[str, ...] = ()
) -> bytes:
    export = EXPORTS[name]
    body = export.of(*owners)
    world.service.answer(export.path + suffix, body, export.media_type, codings=codings)
    return body


async def test_own_exports_pass_untouched_and_foreign_ones_are_blocked(world: World) -> None:
    for name, export in EXPORTS.items():
        body = put(world, name, ME, ME, ME)
        answer = await world.gateway.get(export.path)
        assert answer.status == 200, name
        # What is written anew has the same rows.
        assert answer.body == body or name in ("parquet", "xlsx"), name
        assert export.owners(answer.body) == [ME, ME, ME], name
        assert answer.headers["Cache-Control"] == "private, no-store"

        for owners in ((ME, FOREIGN, ME), (FOREIGN,)):
            put(world, name, *owners)
            answer = await world.gateway.get(export.path)
            assert (answer.status, answer.code) == (403, "blocked_by_policy"), name
            assert FOREIGN.encode() not in answer.body
    entries = world.gateway.entries()
    assert [entry["outcome"] for entry in entries] == ["released", "blocked", "blocked"] * len(
        EXPORTS
    )
    assert all(entry["bundles"] for entry in entries)
    assert world.gateway.verify().ok


async def test_a_partly_foreign_export_is_redacted_to_exactly_the_own_records(
    world: World,
) -> None:
    for name, export in EXPORTS.items():
        put(world, name, FOREIGN, ME, FOREIGN, ME, FOREIGN, suffix="-partial")
        answer = await world.gateway.get(export.path + "-partial")
        assert answer.status == 200, (name, answer.body)
        assert export.owners(answer.body) == [ME, ME], name
        assert FOREIGN.encode() not in answer.body
    for entry in world.gateway.entries():
        counts = entry["records"]
        assert counts["seen"] == counts["released"] + counts["redacted"] + counts["blocked"]
        assert entry["outcome"] == "redacted" and counts["redacted"]
        assert entry["bytes"]["inspected"] == entry["bytes"]["received"]


async def test_a_single_message_passes_whole_or_not_at_all(world: World) -> None:
    for suffix in ("", "-partial"):
        path = MESSAGE.path + suffix
        world.service.answer(path, MESSAGE.of(ME), MESSAGE.media_type)
        answer = await world.gateway.get(path)
        assert (answer.status, answer.body) == (200, MESSAGE.of(ME))
        assert MESSAGE.owners(answer.body) == [ME]
        world.service.answer(path, MESSAGE.of(FOREIGN), MESSAGE.media_type)
        answer = await world.gateway.get(path)
        assert (answer.status, FOREIGN.encode() in answer.body) == (403, False)


@pytest.mark.parametrize("codings", CODINGS, ids="+".join)
async def test_content_codings_are_read_through_and_kept(
    world: World, codings: tuple[str, ...]
) -> None:
    """Catalogue A01 to A03, A14."""
    declared = ", ".join(codings)
    for name in ("json", "ndjson", "csv"):
        export = EXPORTS[name]
        body = put(world, name, ME, ME, codings=codings)
        answer = await world.gateway.get(export.path)
        assert (answer.status, answer.headers["Content-Encoding"]) == (200, declared)
        assert decoded(answer.body, codings) == body
        put(world, name, ME, FOREIGN, codings=codings)
        assert (await world.gateway.get(export.path)).status == 403
        put(world, name, ME, FOREIGN, suffix="-partial", codings=codings)
        answer = await world.gateway.get(export.path + "-partial")
        assert (answer.status, answer.headers["Content-Encoding"]) == (200, declared)
        assert export.owners(decoded(answer.body, codings)) == [ME]


async def test_nothing_is_fetched_for_a_token_that_is_not_accepted(world: World) -> None:
    put(world, "json", ME)
    path = EXPORTS["json"].path
    tokens = ("", world.issuer.expired(sub=ME), world.issuer.forged(sub=ME))
    answers = [await world.gateway.get(path, token) for token in tokens]
    assert {(answer.status, answer.code) for answer in answers} == {(401, "token_rejected")}
    assert world.service.asked == []
    codes = [entry["code"] for entry in world.gateway.entries()]
    assert codes == ["token_missing", "token_expired", "token_untrusted"]
    assert (await world.gateway.get(path)).status == 200


async def test_a_path_that_nobody_configured_is_refused(world: World) -> None:
    world.service.answer("/admin", b"[]", "application/json")
    answer = await world.gateway.get("/admin")
    assert (answer.status, answer.code) == (404, "endpoint_unknown")
    assert world.service.asked == []


async def test_the_body_of_an_upstream_error_stays_behind_and_its_status_is_kept(
    world: World,
) -> None:
    path = EXPORTS["json"].path
    world.service.answer(path, FOREIGN.encode(), "text/html", status=500)
    answer = await world.gateway.get(path)
    assert (answer.status, answer.code) == (500, "upstream_error")
    assert FOREIGN.encode() not in answer.body


async def test_metrics_account_for_every_record_and_byte(world: World) -> None:
    for owners in ((ME, ME), (ME, FOREIGN)):
        put(world, "json", *owners)
        await world.gateway.get(EXPORTS["json"].path)
    text = await world.gateway.metrics()
    assert 'records_total{endpoint="json",format="json",went="seen"} 4.0' in text
    assert 'records_total{endpoint="json",format="json",went="released"} 2.0' in text
    assert 'records_total{endpoint="json",format="json",went="blocked"} 2.0' in text
    assert "privacy_gateway_uninspected_bytes_total 0.0" in text
    assert FOREIGN not in text and "self-proof" not in text
    assert all((await world.gateway.checks()).values())


async def test_an_opaque_body_is_for_whom_a_header_of_the_response_names(world: World) -> None:
    def says(**fields: str) -> None:
        headers = {"Content-Type": "image/jpeg", **fields}
        world.service.answers["/exports/photo"] = (200, headers, b"JPEG canary")

    says(**{"X-Account-Id": ME})
    answer = await world.gateway.get("/exports/photo")
    assert (answer.status, answer.body) == (200, b"JPEG canary")
    assert "X-Account-Id" not in answer.headers
    for fields, status in (
        ({"X-Account-Id": FOREIGN}, 403),
        ({}, 403),
        ({"X-Account-Id": f"{ME}, {FOREIGN}"}, 502),
        ({"X-Account-Id": ME, "x-account-id": FOREIGN}, 502),
    ):
        says(**fields)
        answer = await world.gateway.get("/exports/photo")
        assert answer.status == status and b"canary" not in answer.body, fields


async def test_what_stands_beside_the_content_of_a_coding_never_leaves(world: World) -> None:
    """A file name in a gzip, a byte that a zstd repeats no times: nobody has read it."""
    export = EXPORTS["ndjson"]
    body = export.of(ME, ME)
    name = FOREIGN.encode()
    zipped = bytearray(gzip.compress(body, mtime=0))
    zipped[3] |= 0x08
    zipped[10:10] = name + b"\0"
    frames = bytearray(
        zstd.compress(body, options={zstd.CompressionParameter.content_size_flag: 0})
    )
    frames[6:6] = b"".join(b"\x02\0\0%c" % letter for letter in name)
    for coding, received in (("gzip", bytes(zipped)), ("zstd", bytes(frames))):
        assert CODED[coding][1](received) == body
        headers = {"Content-Type": export.media_type, "Content-Encoding": coding}
        world.service.answers[export.path] = (200, headers, received)
        answer = await world.gateway.get(export.path)
        assert (answer.status, answer.headers["Content-Encoding"]) == (200, coding)
        assert CODED[coding][1](answer.body) == body and len(answer.body) < len(received)
        clean = CODED[coding][0](body)
        world.service.answer(export.path, body, export.media_type, codings=[coding])
        assert (await world.gateway.get(export.path)).body == clean
