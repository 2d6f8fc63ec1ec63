"""Samples of one kind → how to read them: where the records stand, and whose each is.

Every way that the evidence suggests is tried with the gateway's own readers, on every sample: what
they refuse is no proposal, however likely it looked.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gateway.errors import BadUpstream
from gateway.inspection.settings import BodySpec, Limits
from gateway.model import Format
from gateway.workbench.infer.evidence import (
    MARGIN,
    SURE,
    Candidate,
    about_another,
    candidates,
    contradicting,
)
from gateway.workbench.infer.fields import fields
from gateway.workbench.infer.notices import about_place, about_samples
from gateway.workbench.infer.shapes import Place, places
from gateway.workbench.infer.specimens import Contents, Specimen, contents, prove
from gateway.workbench.infer.words import Role
from gateway.workbench.unusable import Unusable
from gateway.workbench.wording import counted

_PLACES, _EACH, _SHOWN, _RIVALS = 12, 4, 8, 3
_LEAST = -0.5
"""Points below which a field is not even a rival where nothing better is there."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What the gateway's own reader said to a proposal, over all samples."""

    records: int = 0
    unattributed: int = 0
    subjects: int = 0
    refusal: str = ""


def without_owner(trial: Trial) -> str:
    """What is said of records that nobody owns."""
    return (
        f"without an owner: {trial.unattributed:,} of {counted(trial.records, 'record')}; withheld"
    )


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to read the samples; `settings` are the keys of a body or member for it."""

    place: Place
    candidate: Candidate | None
    settings: Mapping[str, Any]
    trial: Trial
    points: float

    @property
    def belief(self) -> float:
        return self.candidate.belief if self.candidate else 0.0


@dataclass(frozen=True, slots=True)
class Table:
    """The likeliest way, its rivals (all those nearly as likely), and what to look at."""

    chosen: Reading
    rivals: tuple[Reading, ...]
    candidates: tuple[Candidate, ...]
    warnings: tuple[str, ...]

    @property
    def sure(self) -> bool:
        return not self.rivals and self.chosen.belief >= SURE


def read_table(samples: Sequence[Specimen]) -> Table:
    """Raises Unusable for samples that the gateway would refuse, or that have no one dialect."""
    form = samples[0].format
    read = [contents(sample) for sample in samples]
    options = _options(samples, read)
    found = places(form, read)[:_PLACES]
    ranked = {place.locator: candidates(place, fields(place)) for place in found}
    readings = sorted(
        (reading for place in found for reading in _readings(samples, place, ranked, options)),
        key=lambda reading: -reading.points,
    )
    refused = [reading for reading in readings if reading.trial.refusal]
    usable = [reading for reading in readings if not reading.trial.refusal]
    chosen = usable[0] if usable else _without_owner(samples, found, options)
    return Table(
        chosen,
        tuple(_rivals(chosen, usable)),
        ranked[chosen.place.locator][:_SHOWN],
        (
            *about_samples(samples, read),
            *about_place(form, chosen.place, read, chosen.candidate, ranked[chosen.place.locator]),
            *_about_trial(chosen, refused),
        ),
    )


def _options(samples: Sequence[Specimen], read: Sequence[Contents]) -> Mapping[str, str]:
    first = read[0].options
    for sample, each in zip(samples, read, strict=True):
        if each.options != first:
            raise Unusable(
                f"{sample.name}: another dialect or encoding than {samples[0].name}; an endpoint"
                " has one"
            )
    return first


def _readings(
    samples: Sequence[Specimen],
    place: Place,
    ranked: Mapping[str, Sequence[Candidate]],
    options: Mapping[str, str],
) -> Iterator[Reading]:
    worth = [each for each in ranked[place.locator] if each.points >= _LEAST]
    for candidate in [each for each in worth if each.role is not Role.NAME][:_EACH]:
        settings = settings_of(samples[0].format, place, candidate, options)
        trial = tried(samples, settings)
        yield Reading(place, candidate, settings, trial, _points(place, candidate, trial))


def _points(place: Place, candidate: Candidate, trial: Trial) -> float:
    """The candidate's own, and how well the place suits: many records are likelier than one big
    one, and what is left without an owner counts against it, as do records inside of records."""
    share = trial.unattributed / trial.records if trial.records else 0
    inside = 1 if place.steps else 0
    return candidate.points + inside - 4 * share - max(0, place.wildcards - 1)


def settings_of(
    form: Format, place: Place, candidate: Candidate | None, options: Mapping[str, str]
) -> dict[str, Any]:
    """The keys of a body or a member that read it so."""
    settings: dict[str, Any] = {"format": form.value, **options}
    if form is Format.JSON:
        settings["records"] = place.locator
    if candidate:
        locators = [_column(each) if form is Format.CSV else each for each in candidate.locators]
        settings["subject"] = {candidate.kind: locators[0] if len(locators) == 1 else locators}
    return settings


def _column(locator: str) -> str:
    """`$.name` as the bare name that a CSV's locator may be."""
    bare = locator.removeprefix("$.")
    return bare if bare.isidentifier() else locator


def tried(samples: Sequence[Specimen], settings: Mapping[str, Any]) -> Trial:
    """What the gateway's readers say to the samples, read so."""
    trial, owners = Trial(), set()
    spec = spec_of(settings)
    for sample in samples:
        try:
            tally = prove(sample, spec)
        except BadUpstream as refusal:
            return Trial(refusal=f"{sample.name}: {refusal.code} ({refusal.note})")
        for group in tally.groups:
            owners |= {owner.key for owner in group.owners}
            trial = replace(
                trial,
                records=trial.records + group.records,
                unattributed=trial.unattributed + (0 if group.owners else group.records),
            )
    return replace(trial, subjects=len(owners))


def spec_of(settings: Mapping[str, Any]) -> BodySpec:
    """The settings as the gateway's readers take them."""
    subject = {
        kind: (found,) if isinstance(found, str) else tuple(found)
        for kind, found in settings.get("subject", {}).items()
    }
    return BodySpec(
        format=Format(settings["format"]),
        records=settings.get("records", "$"),
        subject=(subject,) if subject else (),
        delimiter=settings.get("delimiter"),
        encoding=settings.get("encoding"),
        quote=settings.get("quote"),
    )


def _without_owner(
    samples: Sequence[Specimen], found: Sequence[Place], options: Mapping[str, str]
) -> Reading:
    """Nobody's records: where they stand at all is the best guess at it."""
    arrays = [place for place in found if place.steps and not place.keyed]
    for place in (*arrays[:1], *found):
        settings = settings_of(samples[0].format, place, None, options)
        trial = tried(samples, settings)
        if not trial.refusal:
            return Reading(place, None, settings, trial, 0)
    raise Unusable(f"{samples[0].name}: {trial.refusal}")


def _rivals(chosen: Reading, usable: Sequence[Reading]) -> Iterator[Reading]:
    """Ways nearly as likely, or as sure, to records of other persons, or to the same ones
    otherwise."""
    best, seen = chosen.candidate, {str(chosen.settings)}
    unsure = chosen.belief < SURE
    count = 0
    for reading in usable:
        candidate = reading.candidate
        if str(reading.settings) in seen or candidate is None or best is None:
            continue
        near = chosen.points - reading.points < MARGIN
        other = reading.place == chosen.place and about_another(best, candidate)
        if other and candidate.belief >= SURE and contradicting(best, candidate):
            near = True  # both are likely, and they can't both be right
        if near and (other or unsure) and count < _RIVALS:
            count += 1
            seen.add(str(reading.settings))
            yield reading


def _about_trial(chosen: Reading, refused: Sequence[Reading]) -> Iterator[str]:
    trial = chosen.trial
    if chosen.candidate is None:
        yield "no field seems to name an owner: all of it is unattributed, and withheld"
    elif trial.unattributed:
        yield without_owner(trial)
    if trial.subjects > Limits().subjects:
        yield f"{trial.subjects} subjects in the samples: limits.subjects has to be raised"
    if chosen.candidate and not trial.records:
        yield "the samples hold no record: nothing is known about their owners"
    said = set()
    for reading in refused:
        if reading.candidate and reading.points > chosen.points - MARGIN:
            locators = " = ".join(reading.candidate.locators)
            if locators not in said:
                said.add(locators)
                yield f"{reading.place.locator} with {locators} is refused: {reading.trial.refusal}"
