"""The raw aiohttp pass-through: no inspection, no identity, no log. `python -m bench.passthrough`
LISTEN_PORT UPSTREAM_URL [--bare].

It hands on what any proxy has to, as it comes: method, target, end-to-end fields (RFC 9110 section
7.6.1) and body of the request; status, end-to-end fields and body of the answer. With `--bare` it
asks for the path and answers with the body, a small one at once, and with nothing else: that is no
proxy, but about the least that aiohttp can do.
"""

import asyncio
import sys
from contextlib import suppress

from aiohttp import (
    ClientConnectionResetError,
    ClientResponse,
    ClientSession,
    DummyCookieJar,
    TCPConnector,
    web,
)
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

_SMALL = 65_536
_HOPS = {
    "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection",
    "te", "trailer", "transfer-encoding", "upgrade", "host", "content-length",
}  # fmt: skip
"""What is between two neighbours, and what each side's framing says by itself."""


def _end_to_end(fields: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    connection = fields.get("Connection", "")
    named = {name.strip().lower() for name in connection.split(",")} if connection else ()
    return CIMultiDict(
        (name, value)
        for name, value in fields.items()
        if (lower := name.lower()) not in _HOPS and lower not in named
    )


async def _stream(
    answer: ClientResponse, response: web.StreamResponse, request: web.BaseRequest
) -> web.StreamResponse:
    with suppress(ClientConnectionResetError):  # the caller left
        await response.prepare(request)
        async for chunk in answer.content.iter_any():
            await response.write(chunk)
        await response.write_eof()
    return response


async def serve(port: int, upstream: str, *, bare: bool = False) -> None:
    session = ClientSession(
        auto_decompress=False,
        cookie_jar=DummyCookieJar(),
        connector=TCPConnector(limit=0),
        read_bufsize=2**18,
        skip_auto_headers=("Accept", "Accept-Encoding", "User-Agent"),
    )

    async def pass_through(request: web.BaseRequest) -> web.StreamResponse:
        async with session.request(
            request.method,
            URL(upstream + request.raw_path, encoded=True),
            headers=_end_to_end(request.headers),
            data=request.content if request.can_read_body else None,
            allow_redirects=False,
        ) as answer:
            response = web.StreamResponse(
                status=answer.status, reason=answer.reason, headers=_end_to_end(answer.headers)
            )
            response.content_length = answer.content_length
            return await _stream(answer, response, request)

    async def fetch(request: web.BaseRequest) -> web.StreamResponse:
        async with session.get(upstream + request.path, allow_redirects=False) as answer:
            length = int(answer.headers["Content-Length"])
            if length < _SMALL:
                return web.Response(body=await answer.read(), headers={"Content-Type": "a/b"})
            response = web.StreamResponse(headers={"Content-Type": "a/b"})
            response.content_length = length
            return await _stream(answer, response, request)

    runner = web.ServerRunner(web.Server(fetch if bare else pass_through, access_log=None))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), sys.argv[2], bare="--bare" in sys.argv[3:]))
