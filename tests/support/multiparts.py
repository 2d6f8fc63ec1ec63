"""Multipart bodies for tests, and what other readers find in them."""

import asyncio
import base64
import email
import email.policy
import json
import subprocess

from aiohttp import MultipartReader, StreamReader
from aiohttp.base_protocol import BaseProtocol

from tests.support.zips import tool

BOUNDARY = "=_b"


def part(content: bytes = b"", *fields: str) -> bytes:
    """A part without its delimiter."""
    return "".join(f"{field}\r\n" for field in fields).encode() + b"\r\n" + content


def named(name: str, content: bytes, *fields: str) -> bytes:
    return part(content, f'Content-Disposition: attachment; filename="{name}"', *fields)


def multipart(*parts: bytes, boundary: str = BOUNDARY, end: bytes = b"\r\n") -> bytes:
    delimiter = b"--" + boundary.encode()
    return (
        b"".join(delimiter + b"\r\n" + each + b"\r\n" for each in parts) + delimiter + b"--" + end
    )


def files(contents: dict[str, bytes]) -> bytes:
    return multipart(*(named(name, content) for name, content in contents.items()))


def by_email(body: bytes, boundary: str = BOUNDARY) -> list[tuple[str | None, bytes]]:
    head = f'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="{boundary}"\r\n\r\n'
    message = email.message_from_bytes(head.encode() + body, policy=email.policy.default)
    assert not message.defects
    found = []
    for each in message.iter_parts():
        content = each.get_payload(decode=True)
        assert isinstance(content, bytes)
        found.append((each.get_filename(), content))
    return found


def by_aiohttp(body: bytes, boundary: str = BOUNDARY) -> list[tuple[str | None, bytes]]:
    async def read() -> list[tuple[str | None, bytes]]:
        loop = asyncio.get_running_loop()
        stream = StreamReader(BaseProtocol(loop), 2**20, loop=loop)
        stream.feed_data(body)
        stream.feed_eof()
        headers = {"Content-Type": f'multipart/mixed; boundary="{boundary}"'}
        found = []
        async for each in MultipartReader(headers, stream):
            assert not isinstance(each, MultipartReader) and each is not None
            found.append((each.filename, bytes(await each.read(decode=True))))
        return found

    return asyncio.run(read())


_NODE = """
const [boundary] = process.argv.slice(1);
const body = require("fs").readFileSync(0);
const headers = {"Content-Type": `multipart/form-data; boundary="${boundary}"`};
new Response(body, {headers}).formData().then(async (form) => {
  const found = [];
  for (const [name, value] of form) {
    const content = Buffer.from(typeof value === "string" ? value : await value.arrayBuffer());
    found.push([typeof value === "string" ? name : value.name, content.toString("base64")]);
  }
  console.log(JSON.stringify(found));
});
"""


def by_node(body: bytes, boundary: str = BOUNDARY) -> list[tuple[str, bytes]]:
    """The files of a form."""
    command = [*tool(["node"]), "-e", _NODE, boundary]
    done = subprocess.run(command, input=body, capture_output=True, check=True)
    return [(name, base64.b64decode(content)) for name, content in json.loads(done.stdout)]
