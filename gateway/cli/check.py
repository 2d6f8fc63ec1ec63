"""`check`: every fault of a configuration, or what it means."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from gateway.cli.console import WRONG, give_up, loaded
from gateway.config import Config, json_schema
from gateway.config.policies import rego_findings
from gateway.endpoints import Endpoint
from gateway.identity.settings import IssuerSettings
from gateway.inspection.settings import BodySpec, MemberSpec
from gateway.inspection.writable import Owners
from gateway.policy.bundle import BundleError, load, shipped
from gateway.policy.engine import EngineKind
from gateway.policy.settings import PolicySettings


def check(
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", metavar="FILE", help="The configuration to check, in YAML."),
    ] = None,
    schema: Annotated[
        bool,
        typer.Option("--schema", help="Print the JSON Schema of the configuration instead."),
    ] = False,
) -> None:
    """Report every fault of a configuration at once, with its line and what was probably meant.

    Reads the files that the configuration names (policies, keys), compiles the Rego for the engine
    that is configured, and touches no network. The environment counts, as it does for `run`. Exit
    code 2 where there are faults, 1 where only the shadow can't be used.
    """
    if schema is (config is not None):
        give_up("say either --config FILE or --schema")
    if config is None:
        typer.echo(json.dumps(json_schema(), indent=2))
        return
    _summarize(config, loaded(config, thorough=True))


# --- the summary of a configuration without faults ----------------------------------------------


def _summarize(path: Path, config: Config) -> None:
    console = Console(highlight=False)
    table = Table("endpoint", "path", "format", "whose a record is", title_justify="left")
    for endpoint in config.endpoints:
        table.add_row(*map(Text, _row(endpoint)))
    console.print(table)
    for endpoint in config.endpoints:
        if endpoint.observe_until is not None:
            said = _observing(endpoint.name, endpoint.observe_until)
            console.print(Text(said, "bold red"), soft_wrap=True)
    facts = Table.grid(padding=(0, 2))
    facts.add_row("upstream", Text(config.upstream.url))
    for issuer in config.identity.issuers:
        facts.add_row("issuer", Text(_issuer(issuer)))
    facts.add_row("policy", Text(_policy(config.policy)))
    shadow = config.policy.shadowing
    if shadow is not None:
        place = str(shadow.bundle or "the policies that ship with the gateway")
        facts.add_row("shadow", Text(f"embedded, {place}; compared only, it decides nothing"))
    facts.add_row("log", Text(str(config.decision_log.file)))
    facts.add_row("listens", Text(f"{config.listen}, admin {config.admin}"))
    console.print(facts)
    if shadow is not None and (fault := _unusable(shadow)):
        typer.echo(f"{path}: policy.shadow: {fault}; `run` starts, and compares nothing", err=True)
        raise typer.Exit(WRONG)
    typer.echo(f"{path}: no faults")


def _unusable(shadow: PolicySettings) -> str:
    """Why a shadow that lies on this machine can't be used, or nothing."""
    place = shadow.bundle or shipped()
    if isinstance(place, str):
        return ""
    try:
        bundle = load(place, shadow.data, shadow.delivery)
    except BundleError as error:
        return str(error)
    found = next(rego_findings(bundle, EngineKind.EMBEDDED, shadow.data), None)
    if found is None:
        return ""
    return f"{found.place}: {found.message}" if found.place else found.message


def _row(endpoint: Endpoint) -> tuple[str, str, str, str]:
    methods = "" if endpoint.methods == ("GET",) else f"{', '.join(endpoint.methods)} "
    body = endpoint.body
    specs: tuple[BodySpec | MemberSpec, ...] = body.members or (body,)
    owners = "\n".join(map(_owner, specs))
    return endpoint.name, methods + endpoint.path, body.format.value, owners


def _observing(name: str, until: datetime) -> str:
    end = until.isoformat().replace("+00:00", "Z")
    if datetime.now(UTC) < until:
        return (
            f"NOT ENFORCED: {name} is only observed until {end};"
            " what its policy would hold back is released"
        )
    return f"{name}: enforcement: observe is over since {end}; the policy is enforced"


def _owner(spec: BodySpec | MemberSpec) -> str:
    if isinstance(spec, BodySpec):
        return _subjects(spec.subject) or "unattributed"
    found = _subjects(spec.subject) or (
        "unattributed" if spec.attribution.value in ("direct", "none") else spec.attribution.value
    )
    return f"{spec.match}: {found}" + (" (manifest)" if spec.vouches_for else "")


def _subjects(subject: Owners) -> str:
    return " and ".join(
        f"{kind}: {' = '.join(locators)}" for owner in subject for kind, locators in owner.items()
    )


def _issuer(issuer: IssuerSettings) -> str:
    algorithms = ", ".join(algorithm.value for algorithm in issuer.algorithms)
    return f"{issuer.issuer} ({algorithms}; {', '.join(issuer.identifiers)})"


def _policy(policy: PolicySettings) -> str:
    if policy.engine is EngineKind.OPA:
        return f"OPA at {policy.opa}"
    return f"embedded, {policy.bundle or 'the policies that ship with the gateway'}"
