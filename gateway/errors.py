"""Every way the gateway refuses an exchange.

    Refusal
    ├── BadRequest        400  the request can be read in two ways, or is too large
    ├── Unauthenticated   401  no token, or none we accept
    ├── Forbidden         403  the policy blocks
    ├── NotFound          404  no endpoint has this path
    ├── MethodNotAllowed  405  the endpoint has another method
    ├── CallerLeft        499  nobody waits for the answer; as nginx counts it, and never sent
    ├── UpstreamError     4xx and 5xx of the upstream: its status is kept, its body is not
    ├── BadUpstream       502  the upstream's response can't be vouched for
    ├── Unavailable       503  policy engine, keys, decision log, spool or capacity are missing
    ├── Late              504  a deadline passed
    └── InternalError     500  our bug

A new class is right only where the status differs; a new code only where an operator would act
differently. A code is the metric label, the log value and (except for 401) what the caller reads.
`note` is for operators: it names what and where, and never holds a value from a body, a token or
a path.
"""

from enum import StrEnum
from typing import ClassVar


class Code(StrEnum):
    """The closed set of refusal codes."""

    # 400
    REQUEST_MALFORMED = "request_malformed"
    REQUEST_AMBIGUOUS = "request_ambiguous"
    REQUEST_TOO_LARGE = "request_too_large"
    REQUEST_INCOMPLETE = "request_incomplete"
    # 401
    TOKEN_MISSING = "token_missing"  # noqa: S105 - a code, not a secret
    TOKEN_MALFORMED = "token_malformed"  # noqa: S105
    TOKEN_UNTRUSTED = "token_untrusted"  # noqa: S105
    TOKEN_EXPIRED = "token_expired"  # noqa: S105
    TOKEN_CLAIMS = "token_claims"  # noqa: S105
    TOKEN_REJECTED = "token_rejected"  # noqa: S105 - what the caller reads for all of the above
    # 403, 404, 405
    BLOCKED_BY_POLICY = "blocked_by_policy"
    ENDPOINT_UNKNOWN = "endpoint_unknown"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    # 499
    CALLER_LEFT = "caller_left"
    # the upstream's own 4xx, and its own 5xx
    UPSTREAM_REFUSED = "upstream_refused"
    UPSTREAM_ERROR = "upstream_error"
    # 502
    BODY_MALFORMED = "body_malformed"
    BODY_AMBIGUOUS = "body_ambiguous"
    BODY_TOO_LARGE = "body_too_large"
    BODY_TOO_COMPLEX = "body_too_complex"
    BODY_INCOMPLETE = "body_incomplete"
    FORMAT_UNKNOWN = "format_unknown"
    FORMAT_MISMATCH = "format_mismatch"
    CODING_UNSUPPORTED = "coding_unsupported"
    CODING_MALFORMED = "coding_malformed"
    MANIFEST_MISMATCH = "manifest_mismatch"
    MEMBER_UNSUPPORTED = "member_unsupported"
    REDACTION_UNSUPPORTED = "redaction_unsupported"
    INSPECTION_FAILED = "inspection_failed"
    UPSTREAM_UNREACHABLE = "upstream_unreachable"
    UPSTREAM_PROTOCOL = "upstream_protocol"
    UPSTREAM_STATUS = "upstream_status"
    # 503
    POLICY_UNAVAILABLE = "policy_unavailable"
    POLICY_TIMEOUT = "policy_timeout"
    POLICY_UNDEFINED = "policy_undefined"
    DECISION_INVALID = "decision_invalid"
    KEYS_UNAVAILABLE = "keys_unavailable"
    LOG_UNAVAILABLE = "log_unavailable"
    SPOOL_FULL = "spool_full"
    SPOOL_FAILED = "spool_failed"
    OVERLOADED = "overloaded"
    SHUTTING_DOWN = "shutting_down"
    # 504
    UPSTREAM_TIMEOUT = "upstream_timeout"
    INSPECTION_TIMEOUT = "inspection_timeout"
    # 500
    INTERNAL_ERROR = "internal_error"


class Refusal(Exception):
    """One exchange is refused. Raised by any room, answered in one place: `exchange.guard`."""

    status: ClassVar[int]
    codes: ClassVar[frozenset[Code]]

    def __init__(self, code: Code, note: str = "") -> None:
        if code not in self.codes:
            raise ValueError(f"{type(self).__name__} has no code {code}")
        super().__init__(code, note)
        self.code = code
        self.note = note

    @property
    def http_status(self) -> int:
        """The status that the caller reads."""
        return self.status

    @property
    def public_code(self) -> Code:
        """The code that the caller reads."""
        return self.code


class BadRequest(Refusal):
    status = 400
    codes = frozenset(
        {
            Code.REQUEST_MALFORMED,
            Code.REQUEST_AMBIGUOUS,
            Code.REQUEST_TOO_LARGE,
            Code.REQUEST_INCOMPLETE,
        }
    )


class Unauthenticated(Refusal):
    status = 401
    codes = frozenset(
        {
            Code.TOKEN_MISSING,
            Code.TOKEN_MALFORMED,
            Code.TOKEN_UNTRUSTED,
            Code.TOKEN_EXPIRED,
            Code.TOKEN_CLAIMS,
        }
    )

    @property
    def public_code(self) -> Code:
        """One code for every cause: the answer must not tell a forger what to mend next."""
        return Code.TOKEN_REJECTED


class Forbidden(Refusal):
    status = 403
    codes = frozenset({Code.BLOCKED_BY_POLICY})


class NotFound(Refusal):
    status = 404
    codes = frozenset({Code.ENDPOINT_UNKNOWN})


class MethodNotAllowed(Refusal):
    status = 405
    codes = frozenset({Code.METHOD_NOT_ALLOWED})


class CallerLeft(Refusal):
    status = 499
    codes = frozenset({Code.CALLER_LEFT})


class UpstreamError(Refusal):
    """The upstream itself refused (4xx) or failed (5xx); its status is kept, its body is not."""

    status = 502
    codes = frozenset({Code.UPSTREAM_REFUSED, Code.UPSTREAM_ERROR})

    def __init__(self, upstream_status: int) -> None:
        if not 400 <= upstream_status <= 599:
            raise ValueError(f"{upstream_status} is not an error status")
        failed = upstream_status >= 500
        code = Code.UPSTREAM_ERROR if failed else Code.UPSTREAM_REFUSED
        super().__init__(code, f"the upstream answered {upstream_status}")
        self.upstream_status = upstream_status

    @property
    def http_status(self) -> int:
        return self.upstream_status


class BadUpstream(Refusal):
    status = 502
    codes = frozenset(
        {
            Code.BODY_MALFORMED,
            Code.BODY_AMBIGUOUS,
            Code.BODY_TOO_LARGE,
            Code.BODY_TOO_COMPLEX,
            Code.BODY_INCOMPLETE,
            Code.FORMAT_UNKNOWN,
            Code.FORMAT_MISMATCH,
            Code.CODING_UNSUPPORTED,
            Code.CODING_MALFORMED,
            Code.MANIFEST_MISMATCH,
            Code.MEMBER_UNSUPPORTED,
            Code.REDACTION_UNSUPPORTED,
            Code.INSPECTION_FAILED,
            Code.UPSTREAM_UNREACHABLE,
            Code.UPSTREAM_PROTOCOL,
            Code.UPSTREAM_STATUS,
        }
    )


class Unavailable(Refusal):
    status = 503
    codes = frozenset(
        {
            Code.POLICY_UNAVAILABLE,
            Code.POLICY_TIMEOUT,
            Code.POLICY_UNDEFINED,
            Code.DECISION_INVALID,
            Code.KEYS_UNAVAILABLE,
            Code.LOG_UNAVAILABLE,
            Code.SPOOL_FULL,
            Code.SPOOL_FAILED,
            Code.OVERLOADED,
            Code.SHUTTING_DOWN,
        }
    )


class Late(Refusal):
    status = 504
    codes = frozenset({Code.UPSTREAM_TIMEOUT, Code.INSPECTION_TIMEOUT})


class InternalError(Refusal):
    status = 500
    codes = frozenset({Code.INTERNAL_ERROR})


def refusal_of(code: Code, note: str) -> Refusal:
    """What a process of ours refused a body with."""
    for kind in (BadUpstream, Unavailable):
        if code in kind.codes:
            return kind(code, note)
    return InternalError(Code.INTERNAL_ERROR, note)


def as_refusal(error: BaseException) -> Refusal:
    """Whatever went wrong in an exchange, as the refusal that it is."""
    if isinstance(error, Refusal):
        return error
    from asyncio import CancelledError  # most that import this are processes without a loop

    if isinstance(error, CancelledError):
        return cut_off(error)
    return InternalError(Code.INTERNAL_ERROR, place(error))


def cut_off(cancelled: BaseException) -> Refusal:
    """Why an exchange was cancelled: `task.cancel(Code.CALLER_LEFT)` says it, a drain says nothing.

    Takes the CancelledError that came of it.
    """
    if Code.CALLER_LEFT in cancelled.args:
        return CallerLeft(Code.CALLER_LEFT, "before the verdict was on disk")
    return Unavailable(Code.SHUTTING_DOWN, "the drain is over")


def place(error: BaseException) -> str:
    """`KeyError at gateway.policy.contract:42`: an error's type and place, never its text.

    The text of a library's error often quotes what it choked on, and a traceback's locals always
    do (CWE-209), so that only this may be noted, logged or counted.
    """
    where = error.__traceback__
    while where and where.tb_next:
        where = where.tb_next
    at = f"{where.tb_frame.f_globals.get('__name__')}:{where.tb_lineno}" if where else "?"
    return f"{type(error).__name__} at {at}"
