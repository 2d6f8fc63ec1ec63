"""One reading: what leaves is read again by other people's readers, and none finds a stranger.

Of every body that we read, each of them must find the same owners with as many records, in the body
as it came and in what is left of it. Honest bodies they must be able to read; of bodies that nobody
would write, changed in a few places, they may refuse some, but never read another owner.
"""

import io
import random
import zipfile
from collections import Counter
from collections.abc import Iterable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.errors import BadUpstream, Code
from gateway.inspection import work
from gateway.inspection.formats import FORMATS
from gateway.inspection.settings import BodySpec, Limits
from gateway.inspection.sinks import MemorySink
from gateway.inspection.source import InMemory
from gateway.model import Decision, Effect, Format, Inspection, Mask, SubjectRef
from gateway.response import Payload
from tests.differential import peers
from tests.differential.bodies import CASES, canary
from tests.differential.readers import READERS, Reader
from tests.fuzz.mutator import mutated
from tests.fuzz.seeds import SEEDS
from tests.support.scratches import scratch
from tests.support.zips import unzipped, zipped

Owned = Counter[tuple[str, ...]]

LIMIT = 1 << 20
SLOW = {Format.ZIP: 8, Format.TAR: 8}
"""How many times fewer examples there are where each reader is a process of its own."""


ONLY_HONEST = {Format.FHIR, Format.MULTIPART}
"""Where what leads to an owner is a reference or the name of a part, which clients that don't check
it read in one way only in an honest body."""


def counted(owners: Iterable[Iterable[str]], exact: bool) -> Owned:
    """How many records name whom; nobody's are left out, since readers count them differently."""
    each = (tuple(sorted({_rounded(name, exact) for name in named})) for named in owners)
    return Counter(named for named in each if named)


def _rounded(name: str, exact: bool) -> str:
    """Node's numbers are doubles: what it shows of 2^53 + 1 is its neighbour's digits."""
    if exact or not name.startswith("n:") or not name[2:].lstrip("-").isdigit():
        return name
    return f"n:{int(float(name[2:]))}"


def _name(subject: SubjectRef) -> str:
    return f"{'s' if isinstance(subject.value, str) else 'n'}:{subject.value}"


def ours(found: Inspection, exact: bool) -> Owned:
    total: Owned = Counter()
    for group in found.groups:
        for owners, records in counted([map(_name, group.owners)], exact).items():
            total[owners] += records * group.records
    return total


def check(reader: Reader, body: bytes, found: Inspection, *, honest: bool) -> bool:
    """Whether this reader could read the body. What it reads is what we read."""
    try:
        read = reader.read(body)
    except Exception as error:  # noqa: BLE001 - each reader has its own ways to refuse
        assert not honest, f"{reader.name} can't read what we do: {error!r} in {body!r}"
        return False
    assert counted(read, reader.exact) == ours(found, reader.exact), (reader.name, body)
    return True


def inspect(body: bytes, task: work.Task) -> Inspection:
    with scratch(LIMIT) as file:
        return work.inspect(InMemory(body), task, file)


def examine(
    form: Format,
    spec: BodySpec,
    body: bytes,
    dice: random.Random,
    mask: str | None,
    *,
    honest: bool,
) -> bool:
    """Read a body, let some owners' records leave, and let all readers read both."""
    limits = Limits(body=LIMIT, record=1 << 16)
    boundary = "b" if form is Format.MULTIPART else None
    payload = Payload(FORMATS[form].media_types[0], boundary=boundary)
    task = work.Task(payload, spec, limits)
    try:
        found = inspect(body, task)
    except BadUpstream as refusal:
        assert not honest, f"refused: {refusal.code}: {refusal.note}"
        return False
    for reader in READERS[form]:
        check(reader, body, found, honest=honest)
    subjects = sorted(found.subjects, key=_name)
    permitted = frozenset(dice.sample(subjects, dice.randint(0, len(subjects))))
    masks = (Mask(mask),) if mask and dice.random() < 0.5 else ()
    decision = Decision(Effect.REDACT, permitted, dice.random() < 0.5, frozenset(), masks, (), "r1")
    sink = MemorySink()
    try:
        with scratch(LIMIT) as file:
            counts = work.rewrite(InMemory(body), task, found, decision, sink, file)
    except BadUpstream as refusal:  # a total that doesn't count, a format that can't mask
        assert refusal.code in (Code.REDACTION_UNSUPPORTED, Code.BODY_AMBIGUOUS), refusal
        return True
    released = sink.getvalue()
    with scratch(LIMIT) as file:
        work.confirm(InMemory(released), task, found, decision, counts, file)
    left = inspect(released, task)
    for reader in READERS[form]:
        check(reader, released, left, honest=honest)
    assert set(left.subjects) <= permitted
    if honest:
        text = readable(form, released)
        for subject in subjects:
            stays = subject in permitted and not masks
            assert stays or canary(subject.value).encode() not in text, "a stranger's text"
    return True


def readable(form: Format, body: bytes) -> bytes:
    """The text of a body, without the lines that were folded, the compression, the escapes."""
    if form in (Format.ZIP, Format.XLSX):
        with zipfile.ZipFile(io.BytesIO(body)) as found:
            body += b"".join(map(found.read, found.namelist()))
    return body.replace(b"\r\n ", b"").replace(b"\n ", b"")


@pytest.fixture(scope="module", autouse=True)
def _programs() -> None:
    """Node starts and Go compiles outside of any example."""
    peers.node()
    peers.go()


ELSEWHERE = {Format.OPAQUE, Format.PARQUET}
"""Of the one only metadata is read. The readers of both are in their own tests."""


def test_every_format_has_at_least_two_readers() -> None:
    assert READERS.keys() == CASES.keys() == FORMATS.keys() - ELSEWHERE
    assert all(len(readers) >= 2 for readers in READERS.values())


@pytest.mark.parametrize("form", CASES)
def test_readers_find_nobody_else_in_what_leaves(form: Format) -> None:
    case = CASES[form]

    @settings(max_examples=120 // SLOW.get(form, 1), suppress_health_check=list(HealthCheck))
    @given(body=case.bodies, seed=st.integers(0, 10_000))
    def run(body: bytes, seed: int) -> None:
        examine(form, case.spec, body, random.Random(seed), case.mask, honest=True)

    run()


@pytest.mark.parametrize("form", [form for form in CASES if form not in ONLY_HONEST])
def test_no_reader_finds_another_owner_in_what_nobody_would_write(form: Format) -> None:
    read = 0
    for seed in range(600 // SLOW.get(form, 1)):
        dice = random.Random(seed)
        body = mutated(SEEDS[form][1], dice)
        try:
            read += examine(form, SEEDS[form][0], body, dice, None, honest=False)
        except AssertionError as difference:
            raise AssertionError(f"seed {seed}: {body!r}") from difference
    assert read > 3


def test_no_reader_finds_another_owner_in_parts_of_a_workbook_that_nobody_would_write() -> None:
    """The checksums of a ZIP hide its parts from whoever changes the bytes of a whole one."""
    spec, bodies = SEEDS[Format.XLSX]
    workbooks = [unzipped(body) for body in bodies]
    read = 0
    for seed in range(1500):
        dice = random.Random(seed)
        parts = dict(dice.choice(workbooks))
        name = dice.choice(sorted(parts))
        parts[name] = mutated([each[name] for each in workbooks if name in each], dice)
        try:
            read += examine(Format.XLSX, spec, zipped(parts), dice, None, honest=False)
        except AssertionError as difference:
            raise AssertionError(f"seed {seed}: {name}: {parts[name]!r}") from difference
    assert read > 30
