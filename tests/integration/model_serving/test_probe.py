"""The probe that the promotion gate runs."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from mlplatform.registry.model_version import ModelVersion
from services.model_serving.loading.trial import try_version
from services.model_serving.settings import ServingSettings
from tests.integration.model_serving.publisher import Publisher

PRINTING = """
    import os
    import mlflow

    class Chatty(mlflow.pyfunc.PythonModel):
        def predict(self, context, model_input, params=None):
            print("to standard output")
            os.write(1, b"past Python")
            return model_input["a"].to_numpy()

    mlflow.models.set_model(Chatty())
"""
FAILING = """
    import mlflow

    class Failing(mlflow.pyfunc.PythonModel):
        def predict(self, context, model_input, params=None):
            if {here}:
                raise RuntimeError("cannot score")
            return model_input["a"].to_numpy()

    mlflow.models.set_model(Failing())
"""
RESTLESS = """
    import itertools
    import mlflow

    class Restless(mlflow.pyfunc.PythonModel):
        def load_context(self, context):
            self.calls = itertools.count()

        def predict(self, context, model_input, params=None):
            return model_input["a"].to_numpy() * next(self.calls)

    mlflow.models.set_model(Restless())
"""


async def run_probe(
    version: ModelVersion, environment: dict[str, str], cache: Path
) -> tuple[int | None, dict[str, Any], str]:
    """Run the probe in a process of its own; return its status, its result and its standard error."""
    options = (f"--model={version.name}", f"--version={version.version}", "--json")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.model_serving.probe", *options),
        env=os.environ | environment | {"ML_SERVING_CACHE": str(cache)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    (line,) = output.splitlines()
    return process.returncode, json.loads(line), errors.decode()


def refusal_of(version: ModelVersion, environment: dict[str, str], cache: Path) -> str:
    """Probe a version in this process, and return why it was refused."""
    settings = ServingSettings(mlflow_url=environment["ML_MLFLOW_URL"], serving_cache=cache)
    result = try_version(settings, version.name, version.version)
    assert not result.ok
    assert result.reason is not None
    return result.reason


class TestProcess:
    async def test_a_good_version_passes_with_its_measures_and_none_of_its_own_output(
        self, publisher: Publisher, stack_env: dict[str, str], tmp_path: Path
    ) -> None:
        status, result, errors = await run_probe(publisher.code(PRINTING), stack_env, tmp_path)
        assert (status, result["ok"], result["reason"]) == (0, True, None)
        assert result["load_seconds"] > 0
        assert result["predict_ms"] > 0
        assert result["rss_bytes"] > 2**20
        assert "to standard output" in errors
        assert "past Python" in errors

    async def test_a_pickled_version_fails_with_the_remedy(
        self, publisher: Publisher, stack_env: dict[str, str], tmp_path: Path
    ) -> None:
        version = publisher.linear(2.0, serialization_format="cloudpickle")
        status, result, _ = await run_probe(version, stack_env, tmp_path)
        assert (status, result["ok"]) == (1, False)
        assert "ML_SERVING_ALLOW_PICKLE" in result["reason"]


class TestRefusals:
    def test_a_version_that_cannot_score_its_example(
        self, publisher: Publisher, stack_env: dict[str, str], tmp_path: Path
    ) -> None:
        marker = tmp_path / "marker"
        version = publisher.code(FAILING.format(here=f"__import__('pathlib').Path({str(marker)!r}).exists()"))
        marker.touch()
        assert "cannot score" in refusal_of(version, stack_env, tmp_path / "cache")

    def test_a_version_that_answers_otherwise_than_in_mlflow(
        self, publisher: Publisher, stack_env: dict[str, str], tmp_path: Path
    ) -> None:
        assert "predictions.0" in refusal_of(publisher.code(RESTLESS), stack_env, tmp_path)

    def test_a_version_without_an_example(
        self, publisher: Publisher, stack_env: dict[str, str], tmp_path: Path
    ) -> None:
        assert "input_example=" in refusal_of(publisher.linear(input_example=None), stack_env, tmp_path)

    def test_a_version_that_does_not_exist(
        self, publisher: Publisher, stack_env: dict[str, str], tmp_path: Path
    ) -> None:
        version = publisher.linear()
        missing = ModelVersion(
            name=version.name,
            version="99",
            aliases=(),
            run_id=None,
            source=version.source,
            stage="None",
            tags={},
            created=version.created,
        )
        assert "no version 99" in refusal_of(missing, stack_env, tmp_path)
