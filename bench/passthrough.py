"""The raw aiohttp pass-through: no inspection, no identity, no log. `python -m bench.passthrough`
LISTEN_PORT UPSTREAM_URL [--bare].

It hands on what any proxy has to: method, target, end-to-end fields (RFC 9110 section 7.6.1) and
body of the request; status, end-to-end fields and body of the answer. `--bare` is one that asks
for the path and answers with the body, and nothing else: no proxy, but the least that aiohttp can do.
"""

import asyncio
import sys
from collections.abc import Iterable

from aiohttp import ClientSession, DummyCookieJar, TCPConnector, web

_SMALL = 65_536
_HOPS = {
    "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection",
    "te", "trailer", "transfer-encoding", "upgrade", "host", "content-length",
}  # fmt: skip
"""What is between two neighbours, and what each side's framing says by itself."""


def _end_to_end(fields: Iterable[tuple[str, str]], connection: str) -> list[tuple[str, str]]:
    named = {name.strip().lower() for name in connection.split(",")} if connection else ()
    return [
        (name, value)
        for name, value in fields
        if (lower := name.lower()) not in _HOPS and lower not in named
    ]


async def serve(port: int, upstream: str, *, bare: bool = False) -> None:
    session = ClientSession(
        auto_decompress=False,
        cookie_jar=DummyCookieJar(),
        connector=TCPConnector(limit=0),
        read_bufsize=2**18,
        skip_auto_headers=("Accept", "Accept-Encoding", "User-Agent"),
    )

    async def pass_through(request: web.BaseRequest) -> web.StreamResponse:
        if bare:
            asked = session.get(upstream + request.path, allow_redirects=False)
        else:
            asked = session.request(
                request.method,
                upstream + request.raw_path,
                headers=_end_to_end(
                    request.headers.items(), request.headers.get("Connection", "")
                ),
                data=request.content if request.can_read_body else None,
                allow_redirects=False,
            )
        async with asked as answer:
            length = int(answer.headers["Content-Length"])
            if bare:
                status, fields = 200, [("Content-Type", "a/b")]
            else:
                status, connection = answer.status, answer.headers.get("Connection", "")
                fields = _end_to_end(answer.headers.items(), connection)
            if length < _SMALL:
                return web.Response(body=await answer.read(), status=status, headers=fields)
            response = web.StreamResponse(status=status, headers=fields)
            response.content_length = length
            await response.prepare(request)
            async for chunk in answer.content.iter_any():
                await response.write(chunk)
            await response.write_eof()
            return response

    runner = web.ServerRunner(web.Server(pass_through, access_log=None))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), sys.argv[2], bare="--bare" in sys.argv[3:]))
