"""A Denial → the answer to it: the same head and the same body for every caller (RFC 9457).

Only an endpoint that is being observed adds a field, for every caller the same.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from gateway.enforcement import ENFORCEMENT, OBSERVING, Denial
from gateway.proxy.framing import FIXED

RETRY_AFTER = 5
"""Seconds after which whoever read a 503 may ask again."""


@dataclass(frozen=True, slots=True)
class Problem:
    """An answer made by the gateway itself."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def problem(denial: Denial) -> Problem:
    """Status, code and exchange id, and nothing else: no name, no count, no path."""
    body = {
        "type": "about:blank",
        "status": denial.status,
        "code": denial.code,
        "exchange_id": denial.exchange_id,
    }
    headers = {
        "Content-Type": "application/problem+json",
        **FIXED,
        "X-Exchange-Id": denial.exchange_id,
    }
    if denial.status == 401:  # RFC 9110 section 15.5.2; no realm, no hint at what was wrong
        headers["WWW-Authenticate"] = "Bearer"
    if denial.status == 503:  # RFC 9110 section 10.2.3, in seconds
        headers["Retry-After"] = str(RETRY_AFTER)
    if denial.observing:
        headers[ENFORCEMENT] = OBSERVING
    return Problem(denial.status, headers, json.dumps(body).encode("ascii"))
