"""What the configuration says about the decision log."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field

from gateway.locations import FilePath
from gateway.quantities import Duration


@dataclass(frozen=True, slots=True)
class DecisionLogSettings:
    """`file` is the log, `pseudonym_key_file` holds the secret (32 bytes or more) for its hashes.

    `queue` bounds the exchanges that wait for one sync (more wait for a place), `deadline` how
    long an exchange waits in all, in seconds; past it the exchange is refused.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", frozen=True)

    file: FilePath
    pseudonym_key_file: FilePath
    queue: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000
    deadline: Annotated[Duration, Field(gt=0)] = 5.0
