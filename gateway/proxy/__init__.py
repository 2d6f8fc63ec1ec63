"""The shell: sockets on both sides, and the rules of HTTP that keep one reading on each.

    server ─▶ admission (target, fields) ─▶ … guard … ─▶ upstream ─▶ framing ─▶ spool
       ◀── problem or release

`admission`, `target`, `fields`, `framing` and `problem` are pure: bytes in, values or a Refusal
out. `server`, `connection`, `upload` (the callers' side), `upstream`, `wire` (the service's side)
and `parser` touch aiohttp. Its server, its parsers and its flow control are used; its conveniences
are not: no session, no decompression, no redirects, no cookies, no retries, no proxies from the
environment, no lenient parsing.
"""
