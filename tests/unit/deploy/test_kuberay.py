"""The manifest of the RayJob: what the operator of KubeRay requires, and a command that the script understands."""

import shlex
from pathlib import Path

import pytest
import yaml

from services.embedding.reindexing.options import parse

ROOT = Path(__file__).parents[3]
KNOWN = {
    "entrypoint",
    "submissionMode",
    "backoffLimit",
    "activeDeadlineSeconds",
    "shutdownAfterJobFinishes",
    "ttlSecondsAfterFinished",
    "rayClusterSpec",
}
"""Fields of the spec of ray.io/v1 RayJob that are used; KubeRay refuses unknown ones."""


@pytest.fixture
def job() -> dict:
    return yaml.safe_load((ROOT / "deploy" / "kuberay" / "reindex.yaml").read_text())


def groups(job: dict) -> list[dict]:
    cluster = job["spec"]["rayClusterSpec"]
    return [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]


class TestRayJob:
    def test_is_what_the_operator_takes(self, job: dict) -> None:
        assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
        assert set(job["spec"]) <= KNOWN
        assert job["spec"]["submissionMode"] == "K8sJobMode"
        assert set(job["spec"]["rayClusterSpec"]) == {"rayVersion", "headGroupSpec", "workerGroupSpecs"}
        for group in groups(job):
            assert {"rayStartParams", "template"} <= set(group)
            assert all(isinstance(value, str) for value in group["rayStartParams"].values())
        for group in job["spec"]["rayClusterSpec"]["workerGroupSpecs"]:
            assert 0 < group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]
            assert group["groupName"]

    def test_goes_on_after_the_driver_was_lost_and_ends_the_cluster(self, job: dict) -> None:
        assert job["spec"]["backoffLimit"] > 0
        assert job["spec"]["shutdownAfterJobFinishes"] is True

    def test_runs_a_command_that_fits_the_workers(self, job: dict) -> None:
        python, script, *arguments = shlex.split(job["spec"]["entrypoint"])
        options = parse(arguments)
        (workers,) = job["spec"]["rayClusterSpec"]["workerGroupSpecs"]
        (container,) = workers["template"]["spec"]["containers"]

        assert (python, (ROOT / script).is_file()) == ("python", True)
        assert (options.engine, options.address) == ("ray", "auto")
        assert options.actors <= workers["maxReplicas"]
        assert options.cpus <= float(container["resources"]["requests"]["cpu"])

    def test_takes_secrets_from_the_cluster_and_runs_confined(self, job: dict) -> None:
        for group in groups(job):
            spec = group["template"]["spec"]
            assert spec["securityContext"]["runAsNonRoot"] is True
            (container,) = spec["containers"]
            assert container["envFrom"] == [{"secretRef": {"name": "ml-platform-settings"}}]
            assert "env" not in container
            assert container["securityContext"]["allowPrivilegeEscalation"] is False
            assert container["resources"]["limits"]["memory"] == container["resources"]["requests"]["memory"]
