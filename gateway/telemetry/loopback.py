"""Who may change something through the admin port: whoever is on the pod's own loopback.

The port is scraped and probed over the pod's network; `kubectl port-forward` and what runs in the
pod come over loopback. So do web pages in the browser of whoever forwards the port: any page may
POST to 127.0.0.1, and the browser says that a page asks.
"""

from aiohttp import web

_LOOPBACK = frozenset({"127.0.0.1", "::1"})


def is_local(request: web.BaseRequest) -> bool:
    """Whether both ends of the connection are loopback addresses, and no web page asks.

    Source: https://fetch.spec.whatwg.org/#origin-header (with every method but GET and HEAD).
    """
    if request.transport is None or "Origin" in request.headers:
        return False
    ends = (request.transport.get_extra_info(end) for end in ("peername", "sockname"))
    return all(isinstance(end, tuple) and end[0] in _LOOPBACK for end in ends)
