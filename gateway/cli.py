"""The command line: run · check · log verify · demo.

Exit codes: 0 all is well, 1 it is not (a gateway that can't start, a log that was changed, a demo
that failed), 2 the input can't be used (options, configuration, files).
"""

import json
import os
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from gateway import __version__
from gateway.config import Config, ConfigFaults, json_schema, load
from gateway.decisionlog.file import anchor_path
from gateway.decisionlog.key import read_key
from gateway.decisionlog.verify import verify
from gateway.endpoints import Endpoint
from gateway.identity.settings import IssuerSettings
from gateway.inspection.settings import BodySpec, MemberSpec, Owners
from gateway.policy.settings import EngineKind, PolicySettings

_WRONG, _UNUSABLE = 1, 2

commands = typer.Typer(
    name="privacy-gateway",
    help="An async reverse proxy that releases an export only to the person whose data it is.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)
log = typer.Typer(help="Work with decision logs.", no_args_is_help=True)
commands.add_typer(log, name="log")

ConfigOption = Annotated[
    Path,
    typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        help="The configuration, in YAML. PRIVACY_GATEWAY_… variables set single values of it.",
    ),
]


def main() -> None:
    """The console script."""
    commands(prog_name="privacy-gateway")


def _say_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"privacy-gateway {__version__}")
        raise typer.Exit


@commands.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_say_version, is_eager=True, help="Say the version, and stop."
        ),
    ] = False,
) -> None:
    pass


@commands.command()
def run(config: ConfigOption) -> None:
    """Guard the configured endpoints until SIGTERM or SIGINT.

    Standard output gets one line of JSON with the two addresses as soon as they are open; the logs
    go to standard error. /readyz on the admin port says when the gateway has proven itself.
    """
    settings = _loaded(config)
    from gateway import app

    raise typer.Exit(app.run(settings))


@commands.command()
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

    Reads the files that the configuration names (policies, keys), and touches no network. The
    environment counts, as it does for `run`. Exit code 2 where there are faults.
    """
    if schema is (config is not None):
        _give_up("say either --config FILE or --schema")
    if config is None:
        typer.echo(json.dumps(json_schema(), indent=2))
        return
    _summarize(config, _loaded(config))


@log.command("verify")
def log_verify(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The decision log.")],
    anchor: Annotated[
        Path | None,
        typer.Option(
            "--anchor",
            metavar="FILE",
            help="What says how far the log reached: best a copy kept elsewhere. Without this"
            " option, the one beside the log.",
        ),
    ] = None,
    key_file: Annotated[
        Path | None,
        typer.Option(
            "--key-file",
            metavar="FILE",
            help="The pseudonym key of the log: checks the anchor's seal, too.",
        ),
    ] = None,
) -> None:
    """Check that no entry of a decision log was changed, deleted, inserted, moved or cut off.

    Exit code 0 if the log is intact, 1 if it isn't, 2 if a file can't be read.
    """
    if file.is_dir():
        _give_up(f"{file}: a folder, not a log")
    beside = anchor_path(file)
    if anchor is None and beside.is_file():
        anchor = beside
    if anchor is None and key_file is not None:
        _give_up(f"{beside}: there is no anchor whose seal the key could check")
    try:
        key = read_key(key_file) if key_file is not None else None
        found = verify(file, anchor=anchor, key=key)
    except ValueError as error:
        _give_up(str(error))
    except OSError as error:
        _give_up(f"{error.filename or file}: {error.strerror}")
    typer.echo(found.report)
    raise typer.Exit(0 if found.ok else _WRONG)


@commands.command()
def demo(
    serve: Annotated[
        bool, typer.Option("--serve", help="Leave everything running, and say how to ask it.")
    ] = False,
) -> None:
    """Play the incident of 2018, happening and not happening, on this machine alone."""
    from gateway import demo as story

    raise typer.Exit(story.run(serve))


def _loaded(path: Path) -> Config:
    try:
        return load(path, os.environ)
    except ConfigFaults as faults:
        for fault in faults.faults:
            typer.echo(fault, err=True)
            if fault.place.excerpt:
                typer.echo(fault.place.excerpt, err=True)
        count = len(faults.faults)
        typer.echo(f"{path}: {count} fault{'s' if count > 1 else ''}", err=True)
        raise typer.Exit(_UNUSABLE) from None


def _give_up(reason: str) -> NoReturn:
    typer.echo(reason, err=True)
    raise typer.Exit(_UNUSABLE)


# --- the summary of a configuration without faults ----------------------------------------------


def _summarize(path: Path, config: Config) -> None:
    console = Console(highlight=False)
    table = Table("endpoint", "path", "format", "whose a record is", title_justify="left")
    for endpoint in config.endpoints:
        table.add_row(*map(Text, _row(endpoint)))
    console.print(table)
    facts = Table.grid(padding=(0, 2))
    facts.add_row("upstream", Text(config.upstream.url))
    for issuer in config.identity.issuers:
        facts.add_row("issuer", Text(_issuer(issuer)))
    facts.add_row("policy", Text(_policy(config.policy)))
    facts.add_row("log", Text(str(config.decision_log.file)))
    facts.add_row("listens", Text(f"{config.listen}, admin {config.admin}"))
    console.print(facts)
    typer.echo(f"{path}: no faults")


def _row(endpoint: Endpoint) -> tuple[str, str, str, str]:
    methods = "" if endpoint.methods == ("GET",) else f"{', '.join(endpoint.methods)} "
    body = endpoint.body
    specs: tuple[BodySpec | MemberSpec, ...] = body.members or (body,)
    owners = "\n".join(map(_owner, specs))
    return endpoint.name, methods + endpoint.path, body.format.value, owners


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
