"""The documents of the services hold together."""

import importlib
import json
import re

import pytest

REFERENCE = re.compile(r'"\$ref": ?"([^"]*)"')


@pytest.mark.parametrize("service", ["model_serving", "model_serving.batch", "embedding", "search"])
def test_each_reference_leads_somewhere(
    service: str, settings_env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in settings_env.items():
        monkeypatch.setenv(name, value)
    document = importlib.import_module(f"services.{service}.app").create_app().openapi()
    references = set(REFERENCE.findall(json.dumps(document)))
    assert references
    for reference in references:
        place = document
        for step in reference.removeprefix("#/").split("/"):
            assert step in place, reference
            place = place[step]
