"""The contest: this gateway beside what a user would take instead, on the same bodies, in one run.

    python -m bench           everything; writes bench/results.json and docs/performance.md
    python -m bench --quick   the most telling bodies, one short round; under three minutes
    python -m bench --guard   the same without the peers, held against the guards in gates.py

Absolute figures of a shared machine mean little; what is quoted are ratios within one run, the
median of interleaved rounds.
"""
