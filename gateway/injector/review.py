"""AdmissionReview in, AdmissionReview out (admission.k8s.io/v1), as bytes.

What isn't a review is Unanswerable; what is one, but not of a pod that is being made, is Refused:
never is anything allowed because it was not understood.

Source: https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/
"""

import base64
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jiter

from gateway.injector.verdicts import Refused, Result, Unanswerable

MAX_REVIEW = 8 * 2**20
"""Bytes. The API server takes objects of up to 3 MiB; a review holds one, and its old self."""

_MAX_VALUES = 200_000
"""Values in a review: `[[],[],...` takes 30 times its size in memory."""

_TEXT = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
"""One that never ends is taken to its end, too: else the search would begin again at each of its
quotes, and a body of 100 kB would take minutes."""
_VERSION, _KIND = "admission.k8s.io/v1", "AdmissionReview"
_UID = re.compile(r"[A-Za-z0-9._:-]{1,128}", re.ASCII)
_NAMESPACE = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_OWNER = re.compile(r"[A-Z][A-Za-z0-9]{0,62}", re.ASCII)

Pod = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Review:
    """A question of the API server's; `request` is not looked into yet."""

    uid: str
    request: Mapping[str, Any]

    @property
    def namespace(self) -> str:
        """For the log; `invalid` where it can't be a namespace's name."""
        namespace = self.request.get("namespace")
        valid = isinstance(namespace, str) and _NAMESPACE.fullmatch(namespace)
        return str(namespace) if valid else "invalid"

    @property
    def owner(self) -> str:
        """For the log: the kind of the controller that made the pod, or `none`, or `invalid`."""
        pod = self.request.get("object")
        metadata = pod.get("metadata") if isinstance(pod, dict) else None
        owners = metadata.get("ownerReferences") if isinstance(metadata, dict) else None
        if not owners or not isinstance(owners, list) or not isinstance(owners[0], dict):
            return "none"
        kind = owners[0].get("kind")
        return kind if isinstance(kind, str) and _OWNER.fullmatch(kind) else "invalid"

    def pod(self) -> Pod:
        """The pod that is being made. Raises Refused."""
        request = self.request
        kind = {"group": "", "version": "v1", "kind": "Pod"}
        if (
            request.get("kind") != kind
            or request.get("operation") != "CREATE"
            or request.get("subResource")
        ):
            raise Refused(Result.REVIEW_UNEXPECTED, "the injector answers for new pods only")
        pod = request.get("object")
        if not isinstance(pod, dict):
            raise Refused(Result.POD_MALFORMED, "the review holds no pod")
        return pod


def read(body: bytes) -> Review:
    """Raises Unanswerable for what isn't a review of version v1 with a uid."""
    if _structure(body) > _MAX_VALUES and _structure(_TEXT.sub(b"", body)) > _MAX_VALUES:
        raise Unanswerable(413, Result.REVIEW_TOO_LARGE, f"more than {_MAX_VALUES} values")
    try:
        document = jiter.from_json(body, allow_inf_nan=False, catch_duplicate_keys=True)
    except ValueError:  # its text may quote the pod
        raise _malformed("not strict JSON") from None
    if not isinstance(document, dict):
        raise _malformed("not a JSON object")
    if document.get("apiVersion") != _VERSION or document.get("kind") != _KIND:
        raise _malformed(f"not an {_KIND} of {_VERSION}")
    request = document.get("request")
    if not isinstance(request, dict):
        raise _malformed("a review without a request")
    uid = request.get("uid")
    if not isinstance(uid, str) or not _UID.fullmatch(uid):
        raise _malformed("a request without a uid")
    return Review(uid, request)


def allowed(uid: str, patch: Sequence[Mapping[str, Any]] = ()) -> bytes:
    """The answer that lets the pod be made, changed by the patch if there is one."""
    response: dict[str, Any] = {"uid": uid, "allowed": True}
    if patch:
        response["patchType"] = "JSONPatch"
        response["patch"] = base64.b64encode(json.dumps(list(patch)).encode()).decode()
    return _answer(response)


def denied(uid: str, message: str) -> bytes:
    """The answer that keeps the pod from being made; whoever asked for it reads the message."""
    status = {"status": "Failure", "code": 403, "reason": "Forbidden", "message": message}
    return _answer({"uid": uid, "allowed": False, "status": status})


def _structure(text: bytes) -> int:
    """Every value but the first stands behind one of these."""
    return text.count(b",") + text.count(b"[") + text.count(b"{")


def _answer(response: Mapping[str, Any]) -> bytes:
    return json.dumps({"apiVersion": _VERSION, "kind": _KIND, "response": response}).encode()


def _malformed(message: str) -> Unanswerable:
    return Unanswerable(400, Result.REVIEW_MALFORMED, message)
