"""What the tools ask of Rego, and what they are told: the messages of `rego`'s processes.

Any process can import this one; regorus itself is only in `rego`.
"""

import msgspec

GROUNDS, RESTRICTIONS = ("privacy", "grounds"), ("privacy", "restrictions")
"""The packages of which each child is one ground, or one restriction."""


class Setup(msgspec.Struct):
    """`modules` are path → Rego text, `data` is JSON."""

    modules: dict[str, str]
    data: bytes


class Ask(msgspec.Struct, tag="ask"):
    """Account for the decision on `question` (JSON); `subjects` are those of its payload's
    subjects (by index) for which to say why no ground permits them."""

    question: bytes
    subjects: list[int]


class Try(msgspec.Struct, tag="try"):
    """Run one rule, as a test: `data.privacy.x_test.test_y`."""

    rule: str


class Find(msgspec.Struct, tag="find"):
    """Find the tests: rules named `test_…` or `todo_test_…`, whose package and file may be any."""


class Spot(msgspec.Struct, frozen=True):
    """A place in a module; `text` is what stands there."""

    file: str
    line: int
    text: str = ""


class Part(msgspec.Struct):
    """One ground or restriction. `ran` where the decision reached any of it, `values` are its
    rules' values as JSON, `spots` where each of these rules stands, the one that held first."""

    name: str
    ran: bool
    values: dict[str, str] = {}
    spots: dict[str, Spot] = {}
    title: str = ""
    legal_basis: str = ""


class Stop(msgspec.Struct):
    """Why one ground doesn't permit one subject, asked about alone: `spot` is the statement that
    didn't hold, None where it would permit the subject alone."""

    subject: int
    ground: str
    spot: Spot | None


class Account(msgspec.Struct, tag="account"):
    """How a decision came about. `effect` is the rule that gave it, `names` where the name of each
    reason stands."""

    grounds: list[Part]
    restrictions: list[Part]
    stops: list[Stop]
    effect: Spot | None
    names: dict[str, Spot]


class Found(msgspec.Struct, tag="found"):
    """The tests, as constant queries, and where the first rule of each stands; `repeated` are those
    of which there is more than one."""

    tests: dict[str, Spot]
    repeated: list[str] = []


class Tried(msgspec.Struct, tag="tried"):
    """A test's end: `value` is JSON, None where undefined; `printed` what it printed."""

    value: str | None
    printed: list[str]


class Broken(msgspec.Struct, tag="broken"):
    """The engine can't: `message` is one line, `spot` perhaps where."""

    message: str
    spot: Spot | None = None


Job = Ask | Try | Find
Answer = Account | Tried | Found | Broken

encode_job = msgspec.msgpack.Encoder().encode
decode_job = msgspec.msgpack.Decoder(Job).decode
encode_answer = msgspec.msgpack.Encoder().encode
decode_answer = msgspec.msgpack.Decoder(Answer).decode
