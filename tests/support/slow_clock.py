"""`privacy-gateway` on a machine whose clock is a day slow: `python -m tests.support.slow_clock`.

Only the time of exchanges is: a token's times are the issuer's business.
"""

from datetime import UTC, datetime, timedelta

from gateway import app
from gateway.cli import main

BEHIND = timedelta(days=1)


def _slow() -> datetime:
    return datetime.now(UTC) - BEHIND


if __name__ == "__main__":
    app._now = _slow
    main()
