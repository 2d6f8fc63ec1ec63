"""One review, decided: the pure heart of the injector."""

from dataclasses import dataclass

from gateway.injector import fitness, patch, review, wishes
from gateway.injector.pods import mapping
from gateway.injector.template import Template
from gateway.injector.verdicts import Refused, Result


@dataclass(frozen=True, slots=True)
class Verdict:
    """`answer` is the AdmissionReview to send; the rest may be logged."""

    result: Result
    answer: bytes
    namespace: str
    owner: str


def decide(body: bytes, template: Template, *, required: bool) -> Verdict:
    """AdmissionReview in, AdmissionReview out.

    Where it is `required`, a pod that doesn't say whether it wants the gateway is denied. Raises
    Unanswerable for what isn't a review.
    """
    asked = review.read(body)
    try:
        result, operations = _decide(asked.pod(), template, required)
        answer = review.allowed(asked.uid, operations)
    except Refused as refused:
        result, answer = refused.result, review.denied(asked.uid, refused.message)
    return Verdict(result, answer, asked.namespace, asked.owner)


def _decide(pod: review.Pod, template: Template, required: bool) -> tuple[Result, patch.Operations]:
    metadata = mapping(pod, "metadata")
    wanted = wishes.read(mapping(metadata, "annotations"), mapping(metadata, "labels"))
    if wanted is False:
        return Result.OPTED_OUT, ()
    if wanted is None:
        if required:
            raise Refused(
                Result.NOT_DECIDED,
                f'pods of this namespace must say {wishes.INJECT}: "true" or "false"',
            )
        return Result.NOT_ASKED, ()
    injected = patch.is_injected(pod, template)
    fitness.check(pod, template, wanted, injected=injected)
    if injected:
        return Result.ALREADY_INJECTED, ()
    return Result.INJECTED, patch.make(pod, template, wanted)
