"""Every way a review ends: the metric label, the log value, and what the API server is told.

`message` is read by whoever made the pod. It names annotations, ports and containers of ours, and
never holds a value of theirs: a pod's environment is full of secrets.
"""

from enum import StrEnum


class Result(StrEnum):
    """The closed set of results."""

    # allowed
    INJECTED = "injected"
    ALREADY_INJECTED = "already_injected"
    NOT_ASKED = "not_asked"
    OPTED_OUT = "opted_out"
    # denied
    NOT_DECIDED = "not_decided"
    ANNOTATION_UNKNOWN = "annotation_unknown"
    ANNOTATION_INVALID = "annotation_invalid"
    HOST_NETWORK = "host_network"
    HOST_PORT = "host_port"
    WINDOWS = "windows"
    STATIC_POD = "static_pod"
    PORT_TAKEN = "port_taken"
    NAME_TAKEN = "name_taken"
    NO_FS_GROUP = "no_fs_group"
    POD_MALFORMED = "pod_malformed"
    REVIEW_UNEXPECTED = "review_unexpected"
    # answered with an HTTP error, which the API server takes for a failed call
    REVIEW_MALFORMED = "review_malformed"
    REVIEW_TOO_LARGE = "review_too_large"
    REVIEW_INCOMPLETE = "review_incomplete"
    MEDIA_TYPE = "media_type"
    PATH_UNKNOWN = "path_unknown"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    OVERLOADED = "overloaded"
    NOT_READY = "not_ready"
    INTERNAL_ERROR = "internal_error"


class Refused(Exception):
    """This pod is denied, with one sentence for whoever made it."""

    def __init__(self, result: Result, message: str) -> None:
        super().__init__(result, message)
        self.result = result
        self.message = message


class Unanswerable(Exception):
    """There is no review to answer: an HTTP error."""

    def __init__(self, status: int, result: Result, message: str) -> None:
        super().__init__(status, result, message)
        self.status = status
        self.result = result
        self.message = message
