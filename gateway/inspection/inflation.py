"""How much a body may inflate: a bomb is refused while it is small."""

from gateway.errors import BadUpstream, Code
from gateway.inspection.settings import Limits


class Inflation:
    """Counts inflated against received bytes, so that a bomb is refused while it is small."""

    _FREE = 1 << 20
    """Below this an unlucky but honest ratio (a megabyte of zeros) is no danger."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.decoded = 0

    @classmethod
    def most(cls, limits: Limits, received: int) -> int:
        """The most that so many bytes may inflate to."""
        return min(limits.decoded, max(cls._FREE, received * limits.ratio))

    def count(self, decoded: int, received: int) -> None:
        """Note `decoded` more bytes, `received` being all that was read so far."""
        self.decoded += decoded
        if self.decoded > self._limits.decoded:
            raise BadUpstream(Code.BODY_TOO_LARGE, "more decoded bytes than limits.decoded")
        if self.decoded > self._FREE and self.decoded > received * self._limits.ratio:
            raise BadUpstream(Code.BODY_TOO_LARGE, "inflates beyond limits.ratio")


class Unfolding:
    """Counts what comes out of the archives and compressed files inside a body, at any depth,
    against the bytes of the body (or what was `received` of it so far): many small bombs, or one in
    another, are one."""

    def __init__(self, limits: Limits, received: int) -> None:
        self._inflation, self.received = Inflation(limits), received

    def count(self, decoded: int) -> None:
        """Note `decoded` more bytes."""
        self._inflation.count(decoded, self.received)
