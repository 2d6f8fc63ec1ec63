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

    def count(self, decoded: int, received: int) -> None:
        """Note `decoded` more bytes, `received` being all that was read so far."""
        self.decoded += decoded
        if self.decoded > self._limits.decoded:
            raise BadUpstream(Code.BODY_TOO_LARGE, "more decoded bytes than limits.decoded")
        if self.decoded > self._FREE and self.decoded > received * self._limits.ratio:
            raise BadUpstream(Code.BODY_TOO_LARGE, "inflates beyond limits.ratio")
