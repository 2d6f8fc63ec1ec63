"""Who may change something through the admin port: whoever is on the pod's own loopback.

The port is scraped and probed over the pod's network; `kubectl port-forward` and what runs in the
pod come over loopback.
"""

from aiohttp import web

_LOOPBACK = frozenset({"127.0.0.1", "::1"})


def is_local(request: web.BaseRequest) -> bool:
    """Whether both ends of the connection are loopback addresses."""
    if request.transport is None:
        return False
    ends = (request.transport.get_extra_info(end) for end in ("peername", "sockname"))
    return all(isinstance(end, tuple) and end[0] in _LOOPBACK for end in ends)
