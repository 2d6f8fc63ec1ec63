"""An upstream's response at rest: what its headers claimed, and its spooled body."""

from typing import TYPE_CHECKING

import msgspec

from gateway.model import SubjectRef

if TYPE_CHECKING:  # a reading process needs the payload, and no spool
    from gateway.spool import Spooled


class Payload(msgspec.Struct, frozen=True):
    """What the headers claimed about the body: lower-case media type (without parameters), charset
    parameter (lower case, if any), content codings in the order they were applied; the owners of
    the whole body, where the endpoint says which fields name them; for a multipart type the
    boundary.
    """

    media_type: str | None = None
    charset: str | None = None
    codings: tuple[str, ...] = ()
    owners: tuple[SubjectRef, ...] = ()
    boundary: str | None = None


class Response(msgspec.Struct, frozen=True):
    """A complete, well-framed 200 response. `headers` are those of the allow-list, in order."""

    headers: tuple[tuple[str, str], ...]
    payload: Payload
    body: "Spooled"
