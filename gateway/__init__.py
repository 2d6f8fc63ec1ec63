"""The privacy gateway: it releases an export only to the person whose data it is.

Start reading at `gateway.exchange.guard`; it is one export, top to bottom.
"""

import sys

__version__ = "0.1.0"

if sys.version_info < (3, 11, 5):
    # Until then re left a possessive group half matched (cpython issue 106052): `(?:ab)*+` took the
    # `a` of `ac`. What reads bodies with such patterns would read them wrongly.
    raise ImportError("the gateway needs Python 3.11.5 or newer: older ones misread its patterns")
