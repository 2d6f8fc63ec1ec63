"""A folder or an archive on this machine as a source: looked at, and read when it has changed."""

import asyncio
from contextlib import suppress
from pathlib import Path

from gateway.log import Log
from gateway.policy.bundles import pauses
from gateway.policy.bundles.contents import Bundle, Edition
from gateway.policy.bundles.faults import BundleError
from gateway.policy.bundles.lastgood import LastGood, Shelf
from gateway.policy.bundles.pauses import Clocks
from gateway.policy.bundles.reading import Glance, glance, read_path
from gateway.policy.bundles.revisions import check_succession
from gateway.policy.bundles.settings import DeliverySettings

_LOG = Log(__name__)


class WatchedSource:
    """A `Source`. What it remembers on disk is the edition only: the files are here anyway."""

    def __init__(
        self, path: Path, overlay: Path | None, settings: DeliverySettings, clocks: Clocks
    ) -> None:
        self._path, self._overlay, self._settings = path, overlay, settings
        self._clocks = clocks
        self._shelf = Shelf(settings.state, str(path)) if settings.state else None
        self._seen: Glance | None = None
        self._offered = ""
        self._active: Bundle | None = None
        self._floor: Edition | None = None
        self._recalled = self._unsaved = False
        self._confirmed = float("-inf")
        self._failures, self._retry_at = 0, float("inf")

    async def start(self) -> Bundle:
        await self._recall()
        seen, candidate = await asyncio.to_thread(self._read)
        return self._offer(seen, candidate)

    async def next(self) -> Bundle:
        if not self._recalled:
            await asyncio.sleep(self._settings.polling.files)
            await self._recall()
        await self._save()
        while True:
            await asyncio.sleep(self._settings.polling.files)
            seen, fault = await asyncio.to_thread(self._glance)
            if seen == self._seen and self._clocks.monotonic() < self._retry_at:
                if not self._failures:
                    self._confirm()
                continue
            try:
                if fault:
                    raise fault
                seen = await self._settled(seen)
                looked, candidate = await asyncio.to_thread(self._read)
                is_new = candidate.digest != self._offered
                _LOG.debug("the bundle was read again", revision=candidate.revision, new=is_new)
                if is_new:
                    return self._offer(looked, candidate)
            except BundleError:
                self._failed(seen)
                raise
            self._good(looked)
            self._confirm()

    async def last_good(self) -> Bundle:
        raise BundleError(self._path, "the files themselves are all there is")

    def activated(self, bundle: Bundle) -> None:
        self._active, self._floor, self._unsaved = bundle, bundle.edition, True
        self._confirm()

    @property
    def age(self) -> float:
        return self._clocks.monotonic() - self._confirmed

    async def stop(self) -> None:
        with suppress(BundleError):  # the record before is still there, and the way out stays free
            await self._save()

    def _glance(self) -> tuple[Glance | None, BundleError | None]:
        try:
            return glance(self._path, self._overlay, self._settings), None
        except BundleError as fault:
            return None, fault

    def _read(self) -> tuple[Glance, Bundle]:
        """Looked at before, so that a change while it is read is seen as one later."""
        seen = glance(self._path, self._overlay, self._settings)
        return seen, read_path(self._path, self._overlay, self._settings)

    async def _settled(self, seen: Glance | None) -> Glance | None:
        """Wait until two looks in a row are the same: a copy under way isn't half a policy."""
        while True:
            await asyncio.sleep(self._settings.polling.files)
            again, fault = await asyncio.to_thread(self._glance)
            if fault:
                raise fault
            if again == seen:
                return seen
            seen = again

    def _offer(self, seen: Glance, candidate: Bundle) -> Bundle:
        check_succession(self._floor, candidate.edition, str(self._path))
        self._good(seen)
        self._offered = candidate.digest
        return candidate

    def _good(self, seen: Glance) -> None:
        self._seen, self._failures, self._retry_at = seen, 0, float("inf")

    def _failed(self, seen: Glance | None) -> None:
        """Not read again before it looks otherwise, or its time has come: keys change, too."""
        self._seen, self._failures = seen, self._failures + 1
        polling, chance = self._settings.polling, self._clocks.chance
        pause = pauses.after_failure(self._failures, polling, chance)
        self._retry_at = self._clocks.monotonic() + pause

    def _confirm(self) -> None:
        """What is active is what is offered: unchanged since it was looked at."""
        if self._active is not None and self._active.digest == self._offered:
            self._confirmed = self._clocks.monotonic()

    async def _recall(self) -> None:
        """Nothing is offered before it is known what was active last."""
        if self._shelf:
            kept = await asyncio.to_thread(self._shelf.load, self._settings.max_size)
            self._floor = kept.edition if kept else None
        self._recalled = True

    async def _save(self) -> None:
        if self._shelf and self._active and self._unsaved:
            self._unsaved = False  # not again and again where the disk is full
            good = LastGood(self._active.edition, self._active.digest, self._clocks.wall())
            await asyncio.to_thread(self._shelf.save, good)
