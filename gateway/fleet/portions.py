"""What one process gets of what the configuration allows the whole gateway.

What is bounded is divided (rounded down, but at least one), and so are the processes behind each
(rounded up, since a serving process without any could do nothing). The spool's limit is not: the
processes count together what they hold (`spool.Ledger`).
"""

from dataclasses import replace

from gateway.config import Config


def portion(config: Config, processes: int) -> Config:
    """One process's; the same for each."""

    def bound(allowed: int) -> int:
        return max(1, allowed // processes)

    def pool(size: int) -> int:
        return -(-size // processes)

    client, policy = config.client, config.policy
    shadow = policy.shadow and replace(policy.shadow, workers=pool(policy.shadow.workers))
    return replace(
        config,
        client=replace(
            client,
            connections=bound(client.connections),
            exchanges=bound(client.exchanges),
        ),
        upstream=replace(config.upstream, connections=bound(config.upstream.connections)),
        decision_log=replace(config.decision_log, queue=bound(config.decision_log.queue)),
        inspection=replace(config.inspection, workers=pool(config.inspection.workers)),
        policy=replace(policy, workers=pool(policy.workers), shadow=shadow),
    )
