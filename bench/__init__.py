"""The contest: this gateway, a raw aiohttp pass-through and nginx, on the same bodies, in one run.

Absolute figures of a shared machine mean little; what is quoted are ratios within one run, the
median of interleaved rounds. `python -m bench` writes `bench/results.json`.
"""
