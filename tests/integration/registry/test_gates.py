"""What each gate finds."""

import sys

import pytest
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, Schema

from mlplatform.registry import tags as tag
from mlplatform.registry.errors import GateBlocked
from mlplatform.registry.gates import metrics, servability, signature
from mlplatform.registry.gates.candidate import Candidate
from mlplatform.registry.gates.finding import Status
from mlplatform.registry.gates.run import examine
from mlplatform.registry.gates.trial import try_version
from mlplatform.registry.stages import Stage
from tests.integration.registry.requests import to_production
from tests.integration.registry.workbench import NUMBERS

RULES = '{"rmse": {"greater_is_better": false, "threshold": 0.5, "max_relative_degradation": 0.1}}'
RETYPED = ModelSignature(Schema([ColSpec(DataType.string, "x")]), NUMBERS)


@pytest.fixture
def candidate(bench, settings):
    """Make a candidate of a version, with the other one in production."""

    def make(version, production=None, *, allow_schema_change=False) -> Candidate:
        return Candidate(
            registry=bench.registry,
            settings=settings,
            model=bench.registry.get_model(bench.name),
            version=version,
            production=production,
            allow_schema_change=allow_schema_change,
            requester="ada",
        )

    return make


class TestExamine:
    async def test_all_pass(self, bench, candidate):
        report = await examine(candidate(bench.version()), Stage.PRODUCTION)
        assert report.passed
        assert [finding.status for finding in report.findings] == [
            "passed",
            "passed",
            "skipped",
            "passed",
            "passed",
            "skipped",
        ]

    async def test_changed_artifacts_are_not_looked_into(self, bench, candidate):
        version = bench.version()
        bench.tamper(version)
        report = await examine(candidate(version), Stage.PRODUCTION)
        (finding,) = report.findings
        assert (finding.gate, finding.status) == ("digest", Status.FAILED)
        assert "changed in the object store" in finding.message

    async def test_a_failed_gate_changes_nothing(self, bench, promoter, rows):
        version = bench.version(signature=None, example=False)
        with pytest.raises(GateBlocked, match="did not pass: signature"):
            await promoter.promote(to_production(version))
        assert bench.aliases() == {}
        assert rows("model_promotions") == []


class TestSignature:
    @pytest.mark.parametrize(
        "incomplete", [None, ModelSignature(inputs=NUMBERS), ModelSignature(outputs=NUMBERS)], ids=str
    )
    async def test_is_needed(self, bench, candidate, incomplete):
        finding = await signature.check(candidate(bench.version(signature=incomplete)))
        assert finding.status is Status.FAILED
        assert "infer_signature" in finding.message

    async def test_an_input_example_is_needed_by_model_serving_only(self, bench, candidate):
        version = bench.version(example=False)
        finding = await signature.check(candidate(version))
        assert finding.status is Status.FAILED
        assert "input_example=" in finding.message
        bench.client.set_registered_model_tag(bench.name, tag.SERVED_BY, "embedding")
        assert (await signature.check(candidate(version))).status is Status.PASSED

    async def test_is_compared_with_production(self, bench, candidate):
        served, retyped = bench.version(), bench.version(signature=RETYPED)
        finding = await signature.check(candidate(retyped, served))
        assert finding.status is Status.FAILED
        assert "input x is string, was double" in finding.message
        assert "--allow-schema-change" in finding.message
        allowed = await signature.check(candidate(retyped, served, allow_schema_change=True))
        assert allowed.status is Status.WARNED

    async def test_the_same_one_passes(self, bench, candidate):
        finding = await signature.check(candidate(bench.version(), bench.version()))
        assert finding.status is Status.PASSED
        assert finding.message.endswith("callers of version 2 can stay as they are.")


class TestMetrics:
    async def test_within_the_rules(self, bench, candidate):
        version = bench.version(metrics={"rmse": 0.1886823}, model_tags={tag.GATE_METRICS: RULES})
        finding = await metrics.check(candidate(version))
        assert finding.status is Status.PASSED
        assert finding.message == "rmse 0.188682: within the rules; not compared: nothing else is in production."

    async def test_beyond_a_threshold(self, bench, candidate):
        version = bench.version(metrics={"rmse": 0.6}, tags={tag.GATE_METRICS: RULES})
        finding = await metrics.check(candidate(version))
        assert finding.status is Status.FAILED
        assert "rmse is 0.6 and must be at most 0.5" in finding.message

    async def test_worse_than_production(self, bench, candidate):
        served = bench.version(metrics={"rmse": 0.2}, evaluated_on="same", model_tags={tag.GATE_METRICS: RULES})
        worse = bench.version(metrics={"rmse": 0.3}, evaluated_on="same")
        finding = await metrics.check(candidate(worse, served))
        assert finding.status is Status.FAILED
        assert "must be at most 0.22 (production has 0.2); compared with version 1" in finding.message
        little_worse = bench.version(metrics={"rmse": 0.21}, evaluated_on="same")
        assert (await metrics.check(candidate(little_worse, served))).status is Status.PASSED

    async def test_other_evaluation_data_is_not_compared(self, bench, candidate):
        served = bench.version(metrics={"rmse": 0.2}, evaluated_on="old", model_tags={tag.GATE_METRICS: RULES})
        version = bench.version(metrics={"rmse": 0.3}, evaluated_on="new")
        finding = await metrics.check(candidate(version, served))
        assert finding.status is Status.WARNED
        assert "not compared with version 1: different evaluation data" in finding.message

    @pytest.mark.parametrize(
        ("logged", "complaint"), [({}, "rmse was not logged"), ({"rmse": float("nan")}, "rmse is nan")]
    )
    async def test_a_metric_without_a_value(self, bench, candidate, logged, complaint):
        version = bench.version(metrics=logged, tags={tag.GATE_METRICS: RULES})
        finding = await metrics.check(candidate(version))
        assert finding.status is Status.FAILED
        assert complaint in finding.message

    async def test_the_rules_of_the_model_win(self, bench, candidate):
        lax = '{"rmse": {"greater_is_better": false, "threshold": 9}}'
        version = bench.version(
            metrics={"rmse": 0.6}, tags={tag.GATE_METRICS: lax}, model_tags={tag.GATE_METRICS: RULES}
        )
        assert (await metrics.check(candidate(version))).status is Status.FAILED

    async def test_rules_that_cannot_be_read(self, bench, candidate):
        version = bench.version(tags={tag.GATE_METRICS: "rmse < 1"})
        finding = await metrics.check(candidate(version))
        assert finding.status is Status.FAILED
        assert "cannot be read" in finding.message


class TestServability:
    @pytest.fixture
    def probed(self, bench, candidate, settings):
        """Check a version with another probe."""
        version = bench.version()

        async def check(script: str, seconds: float = 30):
            limits = {
                "servability_command": f"{sys.executable} -c '{script}'",
                "servability_timeout": settings.servability_timeout / settings.servability_timeout.seconds * seconds,
            }
            made = candidate(version)
            object.__setattr__(made, "settings", settings.model_copy(update=limits))
            return servability.check(made, await try_version(made))

        return check

    async def test_says_how_fast_it_was(self, bench, candidate):
        made = candidate(bench.version())
        finding = servability.check(made, await try_version(made))
        expected = "Loaded and scored its input example: load 0.8 s, predict 3.7 ms, memory 488 MiB."
        assert (finding.status, finding.message) == (Status.PASSED, expected)

    async def test_a_version_that_cannot_be_served(self, probed):
        finding = await probed('print("""{"ok": false, "reason": "it needs pickle"}""")')
        assert (finding.status, finding.message) == (Status.FAILED, "It cannot be served: it needs pickle")

    async def test_a_probe_that_breaks(self, probed):
        finding = await probed('raise SystemExit("out of memory")')
        assert finding.status is Status.FAILED
        assert "ended with 1 and no result: out of memory" in finding.message

    async def test_a_probe_that_hangs_is_killed(self, probed):
        finding = await probed("import time; time.sleep(600)", seconds=0.2)
        assert finding.status is Status.FAILED
        assert "within 0.2 s" in finding.message
        assert "ML_SERVABILITY_TIMEOUT" in finding.message

    async def test_a_probe_that_does_not_exist(self, bench, candidate, settings):
        made = candidate(bench.version())
        missing = settings.model_copy(update={"servability_command": "/nowhere/probe"})
        object.__setattr__(made, "settings", missing)
        finding = servability.check(made, await try_version(made))
        assert finding.status is Status.FAILED
        assert "ML_SERVABILITY_COMMAND" in finding.message

    async def test_models_of_other_services_are_not_tried(self, bench, candidate):
        finding = servability.check(candidate(bench.version(model_tags={tag.SERVED_BY: "embedding"})), None)
        assert finding.status is Status.SKIPPED
        assert "the embedding service serves it" in finding.message
