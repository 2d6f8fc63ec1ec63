"""Whether this machine's gateway is alive, for containers: `python -m gateway.health [CONFIG]`.

It asks /healthz on the admin port and ends with 0 where the answer is 200, else with 1 and a line.
Docker calls it every half minute, so it is a program of its own that reads one value of the
configuration: `privacy-gateway` would load all of it, for a second of CPU, and a fault that was
just written into the file would make a gateway that serves look dead. Kubernetes doesn't need it:
its probes ask over HTTP.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

CONFIG = Path("/etc/privacy-gateway/gateway.yaml")
VARIABLE = "PRIVACY_GATEWAY_ADMIN"
ADMIN = "127.0.0.1:8282"
_PATIENCE = 3.0


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """The exit code; what is wrong goes to standard error."""
    try:
        fault = ask(admin(Path(arguments[0]) if arguments else CONFIG, environ))
    except (OSError, ValueError, OverflowError, YAMLError, HTTPException) as error:
        fault = type(error).__name__
    if fault:
        print(f"not healthy: {fault}", file=sys.stderr)
    return 1 if fault else 0


def admin(config: Path, environ: Mapping[str, str]) -> str:
    """Where the admin server listens: the variable, else the file's `admin`, else the default.

    Raises OSError or YAMLError where the file can't be read.
    """
    if VARIABLE in environ:
        return environ[VARIABLE]
    settings = YAML(typ="safe", pure=True).load(config)
    found = settings.get("admin") if isinstance(settings, dict) else None
    return found if isinstance(found, str) else ADMIN


def ask(address: str) -> str:
    """What is wrong, or nothing. Raises OSError, ValueError or HTTPException.

    Connecting to 0.0.0.0 or [::] reaches this machine.
    """
    host, _, port = address.rpartition(":")
    connection = HTTPConnection(host.strip("[]"), int(port), timeout=_PATIENCE)
    try:
        connection.request("GET", "/healthz")
        status = connection.getresponse().status
    finally:
        connection.close()
    return "" if status == HTTPStatus.OK else f"/healthz answers {status}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
