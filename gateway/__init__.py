"""The privacy gateway: it releases an export only to the person whose data it is.

Start reading at `gateway.exchange.guard`; it is one export, top to bottom.
"""

__version__ = "0.1.0"
