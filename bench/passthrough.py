"""The raw aiohttp pass-through: no inspection, no identity, no log. `python -m bench.passthrough`
LISTEN_PORT UPSTREAM_URL."""

import asyncio
import sys

from aiohttp import ClientSession, DummyCookieJar, TCPConnector, web


async def serve(port: int, upstream: str) -> None:
    session = ClientSession(
        auto_decompress=False,
        cookie_jar=DummyCookieJar(),
        connector=TCPConnector(limit=0),
        read_bufsize=2**18,
    )

    async def pass_through(request: web.BaseRequest) -> web.StreamResponse:
        async with session.get(upstream + request.path, allow_redirects=False) as answer:
            length = int(answer.headers["Content-Length"])
            if length < 65_536:
                return web.Response(body=await answer.read(), headers={"Content-Type": "a/b"})
            response = web.StreamResponse(headers={"Content-Type": "a/b"})
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
    asyncio.run(serve(int(sys.argv[1]), sys.argv[2]))
