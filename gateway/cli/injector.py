"""`injector`: the admission webhook that puts the gateway into pods."""

import os
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.console import give_up


def injector(
    sidecar: Annotated[
        Path,
        typer.Option("--sidecar", metavar="FILE", help="What to inject, as the chart renders it."),
    ],
    listen: Annotated[
        str, typer.Option("--listen", metavar="ADDRESS", help="Where reviews are taken, with TLS.")
    ] = "0.0.0.0:8443",
    admin: Annotated[
        str, typer.Option("--admin", metavar="ADDRESS", help="/metrics, /healthz and /readyz.")
    ] = "0.0.0.0:8282",
    certificate: Annotated[
        Path | None,
        typer.Option(
            "--certificate",
            metavar="FOLDER",
            help="Somebody else's certificate: tls.crt and tls.key, read again when they change."
            " Without it the injector makes its own, with the options below.",
        ),
    ] = None,
    name: Annotated[
        list[str] | None,
        typer.Option(
            "--name",
            metavar="NAME",
            help="A DNS name or IP address that the API server calls it by, as"
            " SERVICE.NAMESPACE.svc. May be repeated.",
        ),
    ] = None,
    secret: Annotated[
        str | None,
        typer.Option(
            "--secret", metavar="NAMESPACE/NAME", help="The Secret in which replicas share it."
        ),
    ] = None,
    webhook: Annotated[
        str | None,
        typer.Option(
            "--webhook",
            metavar="NAME",
            help="The MutatingWebhookConfiguration whose caBundle is kept.",
        ),
    ] = None,
    lifetime: Annotated[
        str,
        typer.Option(
            "--lifetime",
            metavar="DURATION",
            help="Of each certificate; renewed when a third is left.",
        ),
    ] = "90d",
    api: Annotated[
        str | None,
        typer.Option(
            "--api",
            metavar="URL",
            help="The API server. Left out: as Kubernetes tells each container.",
        ),
    ] = None,
    account: Annotated[
        Path | None,
        typer.Option(
            "--account",
            metavar="FOLDER",
            help="token and ca.crt of the service account. Left out: where Kubernetes mounts them.",
        ),
    ] = None,
    drain: Annotated[
        str,
        typer.Option(
            "--drain", metavar="DURATION", help="How long reviews are taken after a stop."
        ),
    ] = "10s",
    log_level: Annotated[
        str,
        typer.Option("--log-level", metavar="LEVEL", help="debug, info, warning or error."),
    ] = "info",
) -> None:
    """Put the gateway into pods annotated `privacy-gateway.dev/inject`, until SIGTERM or SIGINT.

    Standard output gets one line of JSON with the two addresses as soon as they are open; the logs
    go to standard error. /readyz on the admin port says when pods can be made.
    """
    from gateway.injector import settings as read

    try:
        if certificate is not None:
            if name or secret or webhook or api or account:
                raise ValueError("--certificate goes without --name, --secret, --webhook and --api")
            keeping: read.OwnCertificate | read.MountedCertificate
            keeping = read.MountedCertificate(certificate)
        else:
            keeping = read.own_certificate(
                name or [], secret or "", webhook or "", lifetime, api, account or read.ACCOUNT,
                os.environ,
            )  # fmt: skip
        if log_level not in ("debug", "info", "warning", "error"):
            raise ValueError("--log-level: expected debug, info, warning or error")
        settings = read.InjectorSettings(
            sidecar,
            keeping,
            read.address(listen, "--listen"),
            read.address(admin, "--admin"),
            read.seconds(drain, "--drain"),
            log_level,
        )
    except ValueError as error:
        give_up(str(error))
    from gateway.injector import run

    raise typer.Exit(run.run(settings))
