"""`explain`: whose each record is, who may have it and why, and what would leave."""

import asyncio
import os
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from gateway.cli.console import WRONG, ConfigOption, loaded, unusable
from gateway.cli.options import (
    AtOption,
    BundleOption,
    ClaimsOption,
    EndpointOption,
    JsonOption,
    ParamOption,
    moment,
    pairs,
)
from gateway.config import Config
from gateway.workbench.unusable import Unusable

if TYPE_CHECKING:
    from gateway.workbench.desk import Trial
    from gateway.workbench.explanation import Explanation


def explain(
    config: ConfigOption,
    endpoint: EndpointOption,
    claims: ClaimsOption,
    body: Annotated[
        Path | None,
        typer.Option("--body", metavar="FILE", help="The body; `-` is standard input."),
    ] = None,
    url: Annotated[
        str | None,
        typer.Option("--url", metavar="URL", help="Fetch the body, with one GET, instead."),
    ] = None,
    token_env: Annotated[
        str | None,
        typer.Option(
            "--token-env",
            metavar="VARIABLE",
            help="Bearer token for --url: the variable that holds it.",
        ),
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(
            "--token-file", metavar="FILE", help="Bearer token for --url: the first line of a file."
        ),
    ] = None,
    content_type: Annotated[
        str | None,
        typer.Option(
            "--content-type",
            metavar="TYPE",
            help="What the upstream declares with --body. Left out: what the endpoint expects.",
        ),
    ] = None,
    coding: Annotated[
        str | None,
        typer.Option(
            "--coding",
            metavar="CODING",
            help="The Content-Encoding of --body, such as gzip, or up to three in order.",
        ),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option("--method", metavar="METHOD", help="Left out: the endpoint's first one."),
    ] = None,
    param: ParamOption = None,
    query: Annotated[
        list[str] | None,
        typer.Option(
            "--query", metavar="NAME=VALUE", help="A query parameter; there may be several."
        ),
    ] = None,
    bundle: BundleOption = None,
    at: AtOption = None,
    subjects: Annotated[
        int,
        typer.Option("--subjects", metavar="N", min=1, max=1000, help="How many are listed."),
    ] = 20,
    as_json: JsonOption = False,
) -> None:
    """Explain what would become of a body, without a running gateway, and why.

    Everything that a real exchange meets is met here: identity, inspection, the policy on its
    engine, redaction. Shown are each data subject, the ground that permits it or the very
    statement at which each ground stopped, what would leave, and the rules that acted.

    The output holds what the body holds: it is for your eyes. Exit code 0 where everything would
    leave untouched, 1 where anything stays behind (blocked, redacted or refused), 2 where the
    input can't be used (options, configuration, claims, files, policy).
    """
    settings = loaded(config)
    from gateway.workbench.desk import Trial
    from gateway.workbench.fetching import bearer, fetched
    from gateway.workbench.samples import declared, opened, sample
    from gateway.workbench.tokens import given_claims

    try:
        with ExitStack() as stack:
            if (body is None) is (url is None):
                raise Unusable("say either --body FILE or --url URL")
            if claims == str(body) == "-":
                raise Unusable("--claims and --body can't both be standard input")
            # Before anything is fetched: a wrong option should not cost a request.
            read = given_claims(claims)
            at_moment = moment(at)
            params, queries = pairs(param, "--param"), pairs(query, "--query")
            if body is not None:
                if token_env or token_file:
                    raise Unusable("--token-env and --token-file go with --url")
                stored = stack.enter_context(opened(body))
                named = (each for each in settings.endpoints if each.name == endpoint)
                spec = next(named, settings.endpoints[0]).body
                given = sample(
                    stored,
                    spec,
                    content_type=declared(spec) if content_type is None else content_type,
                    coding=coding,
                )
            else:
                if content_type or coding:
                    raise Unusable("--content-type and --coding go with --body")
                if token_env is not None and token_env not in os.environ:
                    raise Unusable(f"--token-env {token_env}: not in the environment")
                token = bearer(os.environ.get(token_env or ""), token_file)
                given = asyncio.run(fetched(url or "", token))
            trial = Trial(
                endpoint=endpoint,
                claims=read,
                sample=given,
                method=method,
                params={name: values[-1] for name, values in params.items()},
                query=queries,
                at=at_moment,
            )
            explained = asyncio.run(_explained(settings, bundle, trial, str(body or url), subjects))
    except Unusable as error:
        unusable(error)
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(explained)))
    else:
        from gateway.cli.explained import show

        show(explained)
    raise typer.Exit(0 if explained.outcome == "released" else WRONG)


async def _explained(
    config: Config, bundle: Path | None, trial: "Trial", source: str, subjects: int
) -> "Explanation":
    from gateway.workbench.desk import Desk
    from gateway.workbench.explain import explain

    async with Desk(config, bundle) as desk:
        return await explain(desk, trial, source, subjects)
