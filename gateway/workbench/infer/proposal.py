"""Sample bodies → a proposed `body:` block, the evidence for it, and what speaks against it.

A proposal is sure only where one way to read the samples is clearly the likeliest, and the
gateway's own readers took every sample that way. Between two owners that are nearly as likely it
never chooses: it says so, and holds both.
"""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from gateway.config.bodies import check_body
from gateway.errors import BadUpstream
from gateway.inspection.settings import BodySpec, MemberSpec
from gateway.model import Attribution, Format
from gateway.workbench.infer.archives import Archives, read_archives
from gateway.workbench.infer.evidence import Candidate
from gateway.workbench.infer.looks import Look
from gateway.workbench.infer.specimens import Specimen, prove, read
from gateway.workbench.infer.tables import Table, Trial, read_table, spec_of, without_owner
from gateway.workbench.unusable import Unusable

Body = Mapping[str, Any]
_PLAIN = frozenset({"format", "attribution"})


@dataclass(frozen=True, slots=True)
class Finding:
    """The candidates for one kind of records: those of a body, or of the members of a pattern."""

    where: str
    records: str
    candidates: tuple[Candidate, ...]
    chosen: Candidate | None


@dataclass(frozen=True, slots=True)
class Proposal:
    """`body` is the likeliest block, `alternatives` are those nearly as likely, `trial` is what
    the gateway's readers said to the first one, over all samples."""

    body: Body
    sure: bool
    alternatives: tuple[Body, ...]
    findings: tuple[Finding, ...]
    warnings: tuple[str, ...]
    trial: Trial

    @property
    def bodies(self) -> tuple[Body, ...]:
        return (self.body, *self.alternatives)


def infer(paths: Sequence[Path], wanted: Format | None = None) -> Proposal:
    """Read the samples and propose. Raises Unusable."""
    if not paths:
        raise Unusable("name at least one sample body")
    samples = [read(path, wanted) for path in paths]
    for sample in samples:
        if sample.format is not samples[0].format:
            raise Unusable(
                f"{sample.name}: {sample.format}, and {samples[0].name} is {samples[0].format}: an"
                " endpoint has one format"
            )
    if samples[0].format is Format.ZIP:
        return _of_archives(samples, read_archives(samples))
    return _of_table(read_table(samples))


def _of_table(table: Table) -> Proposal:
    return _checked(
        Proposal(
            body=table.chosen.settings,
            sure=table.sure,
            alternatives=tuple(rival.settings for rival in table.rivals),
            findings=(_finding("", table),),
            warnings=table.warnings,
            trial=table.chosen.trial,
        )
    )


def _of_archives(samples: Sequence[Specimen], found: Archives) -> Proposal:
    entries = found.entries
    members = [dict(entry.settings) for entry in entries]
    alternatives = [
        _archive([*members[:index], dict(other), *members[index + 1 :]])
        for index, entry in enumerate(entries)
        for other in entry.others
    ]
    body = _archive(members)
    trial = _tried(samples, body)
    warnings = [*found.warnings]
    if trial.refusal:
        warnings.append(f"the gateway refuses the samples, read so: {trial.refusal}")
    elif trial.unattributed:
        warnings.append(without_owner(trial))
    return _checked(
        Proposal(
            body=body,
            sure=bool(entries) and all(entry.sure for entry in entries) and not trial.refusal,
            alternatives=tuple(alternatives),
            findings=tuple(
                _finding(entry.named.match, entry.table) for entry in entries if entry.table
            ),
            warnings=tuple(warnings),
            trial=trial,
        )
    )


def _archive(members: Sequence[Body]) -> Body:
    return {"format": Format.ZIP.value, "members": list(members) or [{"match": "**"}]}


def _finding(where: str, table: Table) -> Finding:
    return Finding(where, table.chosen.place.locator, table.candidates, table.chosen.candidate)


def _checked(proposal: Proposal) -> Proposal:
    """A block that the configuration would refuse is a fault of ours, never a proposal."""
    for body in proposal.bodies:
        faults = [*check_body(body, ("body",))]
        assert not faults, faults
    chosen = [finding.chosen for finding in proposal.findings]
    if any(each and each.field.look is Look.EMAIL for each in chosen):
        proved = "an e-mail address is the caller's only where their token says it is verified"
        return replace(proposal, warnings=(*proposal.warnings, proved))
    return proposal


def _tried(samples: Sequence[Specimen], body: Body) -> Trial:
    records = unattributed = 0
    owners = set()
    spec = BodySpec(Format.ZIP, members=tuple(map(_member, body["members"])))
    for sample in samples:
        try:
            tally = prove(sample, spec)
        except BadUpstream as refusal:
            return Trial(refusal=f"{sample.name}: {refusal.code} ({refusal.note})")
        for group in tally.groups:
            records += group.records
            unattributed += 0 if group.owners else group.records
            owners |= {owner.key for owner in group.owners}
    return Trial(records, unattributed, len(owners))


def _member(settings: Body) -> MemberSpec:
    if "format" not in settings:
        attribution = Attribution(settings.get("attribution", Attribution.DIRECT))
        return MemberSpec(settings["match"], attribution=attribution)
    spec = spec_of(settings)
    return MemberSpec(
        settings["match"],
        spec.format,
        spec.records,
        spec.subject,
        vouches_for=settings.get("vouches_for"),
        delimiter=spec.delimiter,
        encoding=spec.encoding,
        quote=spec.quote,
    )


def as_yaml(body: Body) -> str:
    """The block as it is pasted into an endpoint: `body:` and what belongs to it."""
    text = io.StringIO()
    yaml = YAML()
    yaml.width = 4096
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.dump({"body": _quoted(body)}, text)
    return text.getvalue()


def _quoted(value: Any, name: str = "") -> Any:
    match value:
        case dict():
            return {key: _quoted(each, key) for key, each in value.items()}
        case list() | tuple():
            return [_quoted(each, name) for each in value]
        case str() if name not in _PLAIN:
            return DoubleQuotedScalarString(value)
        case _:
            return value
