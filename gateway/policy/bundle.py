"""A bundle that lies on this machine → modules, data and a revision.

Where bundles come from, and what must be true of one, is in `bundles/`; this reads one, once.
"""

from pathlib import Path

from gateway.locations import shown
from gateway.policy.bundles.contents import Bundle
from gateway.policy.bundles.faults import BundleError
from gateway.policy.bundles.reading import read_path
from gateway.policy.bundles.settings import DeliverySettings
from gateway.policy.shipped import shipped

__all__ = ["Bundle", "BundleError", "load", "shipped"]

_ANY = DeliverySettings()


def load(
    location: Path | str, overlay: Path | None = None, delivery: DeliverySettings = _ANY
) -> Bundle:
    """Read a folder or a `.tar.gz`; `overlay` takes the place of its deployment document.

    Raises BundleError, also for a URL: nothing is fetched here.
    """
    if isinstance(location, str):
        raise BundleError(shown(location), "a URL, where a folder or a .tar.gz is needed")
    return read_path(location, overlay, delivery)
