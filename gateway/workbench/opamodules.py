"""What a running OPA has loaded: its modules, and the deployment's data. Touches the network."""

import json
from typing import Any

import aiohttp
import jiter

from gateway.workbench.modules import Modules
from gateway.workbench.unusable import Unusable

_DEADLINE = 10.0
_LARGEST = 64 * 2**20


async def of_opa(url: str) -> Modules:
    """The modules that OPA at this base URL has loaded, by its policy API. Raises Unusable."""
    async with aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=_DEADLINE), trust_env=False
    ) as session:
        policies = await _get(session, url.rstrip("/") + "/v1/policies")
        deployment = await _get(session, url.rstrip("/") + "/v1/data/privacy/deployment")
    texts = (
        {
            each["id"]: each["raw"]
            for each in policies
            if isinstance(each, dict) and isinstance(each.get("raw"), str)
        }
        if isinstance(policies, list)
        else {}
    )
    if not texts:
        raise Unusable(f"OPA at {url}: it shows no modules")
    data = {"privacy": {} if deployment is None else {"deployment": deployment}}
    return Modules(texts, json.dumps(data).encode(), f"OPA at {url}")


async def _get(session: aiohttp.ClientSession, url: str) -> Any:
    """The `result` of an answer, None where there is none."""
    try:
        async with session.get(url, allow_redirects=False) as response:
            if response.status != 200:
                raise Unusable(f"{url}: OPA answered {response.status}")
            body = bytearray()
            async for chunk in response.content.iter_any():
                body += chunk
                if len(body) > _LARGEST:
                    raise Unusable(f"{url}: more than {_LARGEST >> 20} MiB")
        answer = jiter.from_json(bytes(body), allow_inf_nan=False, catch_duplicate_keys=True)
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise Unusable(f"{url}: {type(error).__name__}: OPA can't be asked") from None
    except ValueError:
        raise Unusable(f"{url}: the answer is not strict JSON") from None
    return answer.get("result") if isinstance(answer, dict) else None
