"""The injector's bad days: it is not there, or its certificate is replaced."""

import asyncio
import base64
from pathlib import Path

import pytest
from cryptography import x509

from tests.cluster.conftest import LABEL, SYSTEM, WEBHOOK, WEBHOOKS
from tests.support.cluster import Cluster, Object, Refused
from tests.support.injector import asking, pod, running_injector

SECRET = "injector-privacy-gateway-injector-certificate"
LIFETIME = 30.0


async def test_without_it_no_pod_is_made_that_should_have_the_gateway(
    cluster: Cluster, chart: list[Object], tmp_path: Path
) -> None:
    labelled = await cluster.namespace("dead-labelled", **{LABEL: "enabled"})
    unlabelled = await cluster.namespace("dead-unlabelled")
    async with running_injector(cluster, chart, tmp_path / "one") as injector:
        assert "initContainers" in (await cluster.create(asking(pod(labelled))))["spec"]
        await injector.kill()
        for thing in (
            pod(labelled, "plain"), asking(pod(labelled, "asks")), asking(pod(unlabelled, "asks"))
        ):  # fmt: skip
            with pytest.raises(Refused, match="failed calling webhook"):
                await cluster.create(thing)
        assert "initContainers" not in (await cluster.create(pod(unlabelled, "plain")))["spec"]
    assert [each["metadata"]["name"] for each in await cluster.list("v1", "Pod", labelled)] == [
        "app"
    ]
    async with running_injector(cluster, chart, tmp_path / "two"):
        assert "initContainers" in (await cluster.create(asking(pod(labelled, "asks"))))["spec"]


async def test_pods_are_made_all_the_while_that_two_replicas_replace_their_certificate(
    cluster: Cluster, chart: list[Object], tmp_path: Path
) -> None:
    namespace = await cluster.namespace("rotation", **{LABEL: "enabled"})
    thing = asking(pod(namespace))
    lifetime = f"{LIFETIME:.0f}s"
    secret = await cluster.get("v1", "Secret", SECRET, SYSTEM)  # holds a long-lived one
    await cluster.ask("PUT", await cluster.path(secret), {**secret, "data": {}})
    async with (
        running_injector(cluster, chart, tmp_path / "one", lifetime) as one,
        running_injector(cluster, chart, tmp_path / "two", lifetime) as two,
    ):
        before = [await each.reviews(cluster.session) for each in (one, two)]
        served: dict[int, set[str]] = {one.port: set(), two.port: set()}
        trusted, made = await _trusted(cluster), 0
        async with asyncio.timeout(4 * LIFETIME):
            # Until the first CA is forgotten: it was made, replaced, and has expired.
            while trusted & await _trusted(cluster):
                created = await cluster.create(thing, dry_run=True)
                assert "initContainers" in created["spec"]
                for replica in (one, two):
                    served[replica.port].add(await asyncio.to_thread(replica.certificate))
                made += 1
                await asyncio.sleep(0.1)  # a bounded poll of other processes
        assert served[one.port] == served[two.port]
        assert 1 < len(served[one.port]) < made
        after = [await each.reviews(cluster.session) for each in (one, two)]
        assert all(map(int.__lt__, before, after)), "one replica was never asked"


async def _trusted(cluster: Cluster) -> set[bytes]:
    """The CAs that the API server trusts; of every webhook the same."""
    webhooks = (await cluster.get(*WEBHOOKS, WEBHOOK))["webhooks"]
    (bundle,) = {each["clientConfig"]["caBundle"] for each in webhooks}
    certificates = x509.load_pem_x509_certificates(base64.b64decode(bundle))
    return {each.subject.public_bytes() for each in certificates}
