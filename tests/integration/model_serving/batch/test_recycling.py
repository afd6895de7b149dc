"""A process that scores is replaced when its model leaks, between two chunks, to nobody's harm, and not else."""

import asyncio
from collections import Counter
from pathlib import Path

import psycopg

from tests.integration.model_serving.batch.workers import ended, results, submit, worker
from tests.integration.model_serving.publisher import Publisher
from tests.integration.model_serving.running import serving

LEAKING = """
    import os
    import numpy as np
    from mlflow.models import set_model
    from mlflow.pyfunc import PythonModel

    kept = []

    class Model(PythonModel):
        def predict(self, context, model_input, params=None):
            if (model_input["a"] >= 100).any():
                kept.append(np.ones(6 << 20))  # 48 MiB
                with open({notes!r}, "a") as notes:
                    notes.write(f"{{os.getpid()}}\\n")
            return model_input["a"] * 2

    set_model(Model())
"""
LARGE = """
    import os
    import numpy as np
    from mlflow.models import set_model
    from mlflow.pyfunc import PythonModel

    class Model(PythonModel):
        def load_context(self, context):
            self.weights = np.ones(30 << 20)  # 240 MiB

        def predict(self, context, model_input, params=None):
            with open({notes!r}, "a") as notes:
                notes.write(f"{{os.getpid()}}\\n")
            return model_input["a"] * self.weights[0]

    set_model(Model())
"""
ROWS = [{"a": float(number), "b": 0.0, "c": 0.0} for number in range(100, 120)]


class TestLeak:
    async def test_another_process_takes_over_and_each_item_is_scored_once(
        self, publisher: Publisher, settings_env: dict[str, str], tmp_path: Path, owner: psycopg.Connection
    ) -> None:
        notes = tmp_path / "notes"
        await asyncio.to_thread(notes.touch)
        publisher.code(LEAKING.format(notes=str(notes)))
        changes = {"ML_BATCH_CHUNK_ITEMS": "1"}
        async with (
            serving(settings_env, publisher, tmp_path / "serving", **changes) as service,
            worker(settings_env, tmp_path, **changes, ML_BATCH_SCORER_MEMORY="400MiB") as (client, _),
        ):
            place = await submit(service, publisher, ROWS, version=1, report=False)
            job = await ended(service, place)
            found = await results(service, place)
            metrics = (await client.get("/metrics")).text
        assert (job["state"], job["succeeded"]) == ("completed", 20)
        assert [one["output"] for one in found] == [2 * row["a"] for row in ROWS]
        chunks = owner.execute("SELECT DISTINCT state, claim, deaths FROM batch_chunks").fetchall()
        assert chunks == [("done", 1, 0)]
        calls = Counter(notes.read_text().split())
        assert sum(calls.values()) == 20
        assert 2 <= len(calls) < 20
        assert max(calls.values()) <= 9  # of 48 MiB each, which one more than 400 MiB
        assert f"ml_jobs_scorers_recycled_total {len(calls) - 1}.0" in metrics


class TestVersions:
    async def test_two_that_take_more_than_a_process_may_have_stay_where_they_are(
        self, publisher: Publisher, settings_env: dict[str, str], tmp_path: Path
    ) -> None:
        notes = tmp_path / "notes"
        for _ in range(2):
            publisher.code(LARGE.format(notes=str(notes)))
        await asyncio.to_thread(notes.write_text, "")  # MLflow calls what it is given
        async with (
            serving(settings_env, publisher, tmp_path / "serving") as service,
            worker(settings_env, tmp_path, ML_BATCH_SCORER_MEMORY="400MiB") as (client, _),
        ):
            for version in (1, 2) * 3:
                place = await submit(service, publisher, ROWS, version=version, report=False)
                assert (await ended(service, place))["succeeded"] == 20
            metrics = (await client.get("/metrics")).text
        assert len(set(notes.read_text().split())) == 1
        assert "ml_jobs_scorers_recycled_total 0.0" in metrics
