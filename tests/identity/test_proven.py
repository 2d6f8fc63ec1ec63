"""A token proven before: remembered only as long as it would be proven again."""

from pathlib import Path
from typing import Any

import pytest

from gateway.errors import Code, Unauthenticated
from gateway.identity import proven as module
from gateway.identity.authenticator import Authenticator
from gateway.identity.jwks import VerifyingKey
from gateway.identity.settings import Algorithm, IdentitySettings, IssuerSettings
from gateway.model import Caller
from tests.support.issuer import TestIssuer


class Clock:
    """A time that tests set."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


class Counting:
    """Counts the signatures that are checked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.checks = 0
        verifies = VerifyingKey.verifies

        def counted(key: VerifyingKey, *args: Any) -> bool:
            self.checks += 1
            return verifies(key, *args)

        monkeypatch.setattr(VerifyingKey, "verifies", counted)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def issuer(clock: Clock) -> TestIssuer:
    return TestIssuer(clock=clock)


async def authenticator(issuer: TestIssuer, clock: Clock, folder: Path) -> Authenticator:
    pins = IssuerSettings(
        issuer=issuer.issuer,
        audience=(issuer.audience,),
        jwks=str(issuer.write_jwks(folder / "jwks.json")),
        algorithms=(Algorithm.RS256,),
        identifiers={},
    )
    made = Authenticator(IdentitySettings((pins,)), wall=clock, monotonic=clock)
    await made.start()
    return made


def line(token: str) -> list[bytes]:
    return [f"Bearer {token}".encode()]


async def test_a_token_seen_again_is_the_same_caller_without_a_second_signature_check(
    issuer: TestIssuer, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    identity, count = await authenticator(issuer, clock, tmp_path), Counting(monkeypatch)
    token = line(issuer.token(sub="A1"))
    callers = [await identity.authenticate(token) for _ in range(3)]
    assert callers[0].id == "A1" and callers[0] is callers[1] is callers[2]
    assert count.checks == 1
    await identity.stop()


async def test_a_token_seen_again_after_it_expired_is_refused(
    issuer: TestIssuer, clock: Clock, tmp_path: Path
) -> None:
    identity = await authenticator(issuer, clock, tmp_path)
    token = line(issuer.token())
    await identity.authenticate(token)
    clock.now += 301 + 60
    for _ in range(2):
        with pytest.raises(Unauthenticated) as refused:
            await identity.authenticate(token)
        assert refused.value.code is Code.TOKEN_EXPIRED
    await identity.stop()


async def test_a_token_seen_again_after_its_key_left_the_set_is_refused(
    issuer: TestIssuer, clock: Clock, tmp_path: Path
) -> None:
    identity = await authenticator(issuer, clock, tmp_path)
    old = line(issuer.token())
    await identity.authenticate(old)
    issuer.rotate(keep=False)
    issuer.write_jwks(tmp_path / "jwks.json")
    await identity._issuers[issuer.issuer].keys.refresh()
    with pytest.raises(Unauthenticated):
        await identity.authenticate(old)
    assert (await identity.authenticate(line(issuer.token()))).id == "A1"
    await identity.stop()


async def test_a_key_set_that_was_read_again_has_the_signature_checked_again(
    issuer: TestIssuer, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    identity, count = await authenticator(issuer, clock, tmp_path), Counting(monkeypatch)
    token = line(issuer.token())
    await identity.authenticate(token)
    await identity._issuers[issuer.issuer].keys.refresh()
    await identity.authenticate(token)
    assert count.checks == 2
    await identity.stop()


async def test_one_changed_byte_or_a_second_line_is_another_request(
    issuer: TestIssuer, clock: Clock, tmp_path: Path
) -> None:
    identity = await authenticator(issuer, clock, tmp_path)
    token = line(issuer.token())
    await identity.authenticate(token)
    last = token[0][-1:]
    changed = token[0][:-1] + (b"A" if last != b"A" else b"Q")
    for lines in ([changed], [token[0], token[0]], [token[0] + b" "], []):
        with pytest.raises(Unauthenticated):
            await identity.authenticate(lines)
    await identity.stop()


async def test_a_forged_token_is_not_remembered(
    issuer: TestIssuer, clock: Clock, tmp_path: Path
) -> None:
    identity = await authenticator(issuer, clock, tmp_path)
    forged = line(issuer.forged())
    for _ in range(2):
        with pytest.raises(Unauthenticated) as refused:
            await identity.authenticate(forged)
        assert refused.value.code is Code.TOKEN_UNTRUSTED
    await identity.stop()


def test_no_more_tokens_are_remembered_than_there_is_room_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_MOST", 2)
    tokens = module.ProvenTokens()
    entries = [
        module.Proven(None, None, Caller("i", str(n), ()))  # type: ignore[arg-type]
        for n in range(3)
    ]
    for number, entry in enumerate(entries):
        tokens.remember(b"%d" % number, entry)
        again = tokens.take(b"0")
        assert again is not None
        tokens.remember(b"0", again)
    found = [tokens.take(b"%d" % number) for number in range(3)]
    assert found == [entries[0], None, entries[2]]
