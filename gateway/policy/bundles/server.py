"""A bundle server as a source: polled, proven, and remembered for the time when it is down."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from gateway.locations import shown
from gateway.log import Log
from gateway.policy.bundles import files, pauses
from gateway.policy.bundles.contents import Bundle, Edition
from gateway.policy.bundles.download import Served, fetch
from gateway.policy.bundles.faults import BundleError
from gateway.policy.bundles.lastgood import LastGood, Shelf
from gateway.policy.bundles.pauses import Clocks
from gateway.policy.bundles.reading import read_archive
from gateway.policy.bundles.revisions import check_succession
from gateway.policy.bundles.settings import DeliverySettings

_LOG = Log(__name__)

_CONFIRMS = 60.0
"""Seconds between two notes on disk that the server confirmed the active bundle, at the least."""


@dataclass(frozen=True, slots=True)
class _Archive:
    """What the server served last and could be used. `asked` is when, by the monotonic clock."""

    content: bytes
    etag: str
    asked: float


class ServerSource:
    """A `Source`. A poll under way outlives a cancelled `next`, and ends with `stop`."""

    def __init__(
        self, url: str, overlay: Path | None, settings: DeliverySettings, clocks: Clocks
    ) -> None:
        self._url, self._overlay, self._settings = url, overlay, settings
        self._clocks = clocks
        self._origin = shown(url)
        self._shelf = Shelf(settings.state, url) if settings.state else None
        self._kept: LastGood | None = None
        self._archive: _Archive | None = None
        self._overlay_seen: files.Stamp | None = None
        self._offered: Bundle | None = None
        self._active: Bundle | None = None
        self._floor: Edition | None = None
        self._recalled = self._unsaved = False
        self._confirmed = self._noted = float("-inf")
        self._waits = settings.polling.long_poll is not None
        self._polling: asyncio.Task[Served] | None = None
        self._asked = float("-inf")
        self._failures = 0
        self._pause = 0.0

    async def start(self) -> Bundle:
        await self._recall()
        try:
            return await self._first()
        except BundleError as fault:
            self._failed()
            try:
                return await self.last_good()
            except BundleError as none:
                raise BundleError(fault.path, f"{fault.message}; {none.message}") from None

    async def next(self) -> Bundle:
        if not self._recalled:
            await asyncio.sleep(self._pause)
            await self._recall()
        await self._save()
        while True:
            if self._polling is None:
                self._polling = asyncio.create_task(self._poll())
            look = self._settings.polling.files if self._overlay else None
            done, _ = await asyncio.wait({self._polling}, timeout=look)
            try:
                if done:
                    polled, self._polling = self._polling, None
                    candidate = await self._received(polled.result())
                else:
                    candidate = await self._overlaid()
            except BundleError:
                if done:
                    self._failed()
                raise
            if candidate is not None:
                return candidate
            await self._note()

    async def last_good(self) -> Bundle:
        kept = self._kept
        if kept is None or kept.archive is None:
            raise BundleError(self._origin, "no last good bundle is kept")
        age = self._clocks.wall() - kept.confirmed
        if age < 0:
            raise BundleError(self._origin, "the last good bundle is from the future: the clock?")
        if age > self._settings.max_age:
            raise BundleError(self._origin, "the last good bundle is older than max_age")
        await self._end_poll()  # its answer would be about another archive
        bundle = replace(await self._read(kept.archive), stale=True)
        self._archive = _Archive(kept.archive, kept.etag, self._clocks.monotonic() - age)
        self._offered = bundle
        return bundle

    def activated(self, bundle: Bundle) -> None:
        self._active, self._floor = bundle, bundle.edition
        self._unsaved = not bundle.stale
        self._confirm()

    @property
    def age(self) -> float:
        return self._clocks.monotonic() - self._confirmed

    async def stop(self) -> None:
        await self._end_poll()
        with suppress(BundleError):  # the record before is still there, and the way out stays free
            await self._save()

    async def _end_poll(self) -> None:
        if self._polling:
            self._polling.cancel()
            await asyncio.wait({self._polling})
            if not self._polling.cancelled():
                self._polling.exception()  # seen, and of no use any more
            self._polling = None

    # --- what a poll brings ---------------------------------------------------------------------

    async def _first(self) -> Bundle:
        kept = self._kept if self._kept and self._kept.archive is not None else None
        served = await self._ask(kept.etag if kept else "", None)
        content = served.archive
        if content is None:
            assert kept is not None and kept.archive is not None
            content, served = kept.archive, replace(served, waits=self._waits)
        return await self._offer(content, served)

    async def _poll(self) -> Served:
        await asyncio.sleep(self._pause)
        etag = self._archive.etag if self._archive else ""
        wait = self._settings.polling.long_poll if self._waits else None
        return await self._ask(etag, wait)

    async def _ask(self, etag: str, wait: float | None) -> Served:
        self._asked = self._clocks.monotonic()
        served = await fetch(self._url, self._settings, etag, wait)
        changed, waits = served.archive is not None, served.waits
        _LOG.debug("the bundle server answered", changed=changed, waits=waits)
        return served

    async def _received(self, served: Served) -> Bundle | None:
        """A candidate, None where there is nothing new."""
        before = self._offered
        if served.archive is None:
            assert self._archive is not None
            self._archive = _Archive(self._archive.content, served.etag, self._asked)
            self._succeeded(replace(served, waits=self._waits))
            self._confirm()
            return None
        candidate = await self._offer(served.archive, served)
        if before is not None and candidate.digest == before.digest:
            self._confirm()
            return None
        return candidate

    async def _offer(self, content: bytes, served: Served) -> Bundle:
        seen = files.stamp(self._overlay) if self._overlay else None
        candidate = await self._read(content)
        check_succession(self._floor, candidate.edition, self._origin)
        self._archive = _Archive(content, served.etag, self._asked)
        self._offered, self._overlay_seen = candidate, seen
        self._succeeded(served)
        return candidate

    async def _overlaid(self) -> Bundle | None:
        """A candidate, where `policy.data` has changed and is at rest."""
        assert self._overlay is not None
        seen = files.stamp(self._overlay)
        if seen == self._overlay_seen or self._archive is None:
            return None
        await asyncio.sleep(self._settings.polling.files)
        if files.stamp(self._overlay) != seen:
            return None
        before, self._overlay_seen = self._offered, seen
        self._offered = None  # and stays so, where the new one can't be read
        self._offered = candidate = await self._read(self._archive.content)
        return None if before and candidate.digest == before.digest else candidate

    async def _read(self, content: bytes) -> Bundle:
        return await asyncio.to_thread(
            read_archive, content, self._origin, self._overlay, self._settings
        )

    # --- what is remembered ---------------------------------------------------------------------

    def _succeeded(self, served: Served) -> None:
        polling, now = self._settings.polling, self._clocks.monotonic()
        self._failures = 0
        self._waits = served.waits and polling.long_poll is not None
        took = now - self._asked if self._waits else None
        self._pause = pauses.after_answer(polling, self._clocks.chance, took)

    def _failed(self) -> None:
        self._failures += 1
        self._pause = pauses.after_failure(
            self._failures, self._settings.polling, self._clocks.chance
        )

    def _confirm(self) -> None:
        """The server serves what is active, as of when it was asked."""
        if self._archive and self._is_active(self._offered):
            self._confirmed = max(self._confirmed, self._archive.asked)

    def _is_active(self, bundle: Bundle | None) -> bool:
        return bool(bundle and self._active and bundle.digest == self._active.digest)

    async def _recall(self) -> None:
        """Nothing is offered before it is known what was active last."""
        if self._shelf:
            try:
                self._kept = await asyncio.to_thread(self._shelf.load, self._settings.max_size)
            except BundleError:
                self._failed()
                raise
            self._floor = self._kept.edition if self._kept else None
        self._recalled = True

    async def _note(self) -> None:
        """Write down that the server confirmed what is kept, once in a while."""
        if self._kept and self._confirmed - self._noted >= _CONFIRMS:
            self._unsaved = True
            await self._save()

    async def _save(self) -> None:
        if not (self._shelf and self._active and self._archive and self._unsaved):
            return
        self._unsaved = False  # not again and again where the disk is full
        if self._offered is None or self._offered.digest != self._active.digest:
            return  # something newer was served since; its turn comes when it is active
        good = LastGood(
            edition=self._active.edition,
            digest=self._active.digest,
            confirmed=self._clocks.wall() - self.age,
            etag=self._archive.etag,
            archive=self._archive.content,
        )
        await asyncio.to_thread(self._shelf.save, good)
        self._kept, self._noted = good, self._confirmed
