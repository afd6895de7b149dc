"""What a test does to the traffic of a model, and how it looks at what comes of it."""

from collections import Counter
from typing import Any

import httpx

from tests.integration.model_serving.publisher import frame_of, records_of
from tests.integration.model_serving.running import Service, eventually

INPUTS = records_of(frame_of(2, seed=11))


async def put(service: Service, model: str, document: dict[str, Any], **headers: str) -> httpx.Response:
    """Set the routing document, whatever it was before unless headers say otherwise."""
    sent = headers or {"If-Match": "*"}
    body = {"document": document, "reason": "test"}
    return await service.client.put(f"/api/v1/models/{model}/traffic", json=body, headers=sent)


async def steer(service: Service, model: str, document: dict[str, Any]) -> None:
    """Set the routing document and wait until every version in it may be routed to."""
    answer = await put(service, model, document)
    assert answer.status_code == 200, answer.text
    await eventually(lambda: all_ready(service, model))


async def traffic(service: Service, model: str) -> dict[str, Any]:
    """Read the document and its state."""
    answer = await service.client.get(f"/api/v1/models/{model}/traffic")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def all_ready(service: Service, model: str) -> bool:
    """Say whether every version of the document may be routed to here."""
    return all(target["state"] == "ready" for target in (await traffic(service, model))["targets"])


async def ask(service: Service, model: str, key: str | None = None, **fields: Any) -> httpx.Response:
    """Predict, with a routing key."""
    headers = {} if key is None else {"X-Routing-Key": key}
    body = {"model": model, "inputs": INPUTS, **fields}
    return await service.client.post("/api/v1/predict", json=body, headers=headers)


async def routes(service: Service, model: str, keys: int = 200) -> dict[str, tuple[str, str]]:
    """Return, by key, the route and the version that answered."""
    found = {}
    for number in range(keys):
        answer = await ask(service, model, f"key-{number}")
        assert answer.status_code == 200, answer.text
        found[f"key-{number}"] = answer.headers["X-Model-Route"], answer.headers["X-Model-Version"]
    return found


def shares(found: dict[str, tuple[str, str]]) -> Counter[tuple[str, str]]:
    """Count the keys by route and version."""
    return Counter(found.values())
