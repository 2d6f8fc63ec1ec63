"""What the configuration says about the decision log."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Gt, Le

from gateway.constraints import STRICT
from gateway.locations import FilePath
from gateway.quantities import Duration


@dataclass(frozen=True, slots=True)
class DecisionLogSettings:
    """`file` is the log, `pseudonym_key_file` holds the secret (32 bytes or more) for its hashes.

    `queue` bounds the exchanges that wait for one sync (more wait for a place), `deadline` how
    long an exchange waits in all, in seconds; past it the exchange is refused.
    """

    __pydantic_config__: ClassVar[Mapping[str, Any]] = STRICT

    file: FilePath
    pseudonym_key_file: FilePath
    queue: Annotated[int, Ge(1), Le(1_000_000)] = 10_000
    deadline: Annotated[Duration, Gt(0)] = 5.0
