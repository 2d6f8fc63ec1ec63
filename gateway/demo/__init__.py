"""`make demo`: the incident of 2018, happening and not happening, on loopback.

archives   the export files: hers, his, and his with hers mixed in
service    the export service and the issuer, as real servers
world      everything started: service, issuer, two gateways; and their configuration
story      the five scenes, told in plain words, and the table at the end
"""

from gateway.demo.story import run

__all__ = ["run"]
