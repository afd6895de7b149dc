"""`mlp models register-classifier`: from a folder or a hub to a version that is served and scores files."""

import json
import os
import shlex
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path

import mlflow
import pytest

from mlplatform.classifiers.task import Task
from mlplatform.registry import tags as tag
from mlplatform.registry.gates.trial import PROBE
from mlplatform.registry.stages import PRODUCTION
from services.model_serving.batch.scoring.files import file_scorer
from services.model_serving.batch.uploads.image import read_image
from services.model_serving.batch.uploads.limits import Limits
from services.model_serving.batch.uploads.text import read_text
from services.model_serving.loading.loader import make_loader
from services.model_serving.loading.trial import try_version
from services.model_serving.settings import ServingSettings
from tests.fixtures.hub import hub_of
from tests.fixtures.programs import IMPORTED, LIBRARIES, python_with, run_mlp, run_program
from tests.integration.model_serving.conftest import publisher
from tests.integration.model_serving.publisher import Publisher
from tests.integration.model_serving.running import eventually, serving
from tests.unit.classifiers.saved import LABELS, save
from tests.unit.model_serving.temptation import picture

__all__ = ["publisher"]

pytest.importorskip("transformers", reason="the extra `flavors` is not installed")
# MLflow's own wrapper, which a trial compares with, hands PyTorch what pandas 3 protects against writing.
pytestmark = pytest.mark.filterwarnings("ignore:The given NumPy array is not writable:UserWarning")

NOWHERE = "http://127.0.0.1:9"

Register = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def environment(settings_env: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """Settings of a command, with a hub that cannot be reached."""
    home = tmp_path / "home"
    return os.environ | settings_env | {"ML_HOME": str(home), "HF_HOME": str(home), "HF_ENDPOINT": NOWHERE}


@pytest.fixture
def register(environment: dict[str, str], publisher: Publisher) -> Register:
    """Run the command, which has its libraries from the beginning unless it is to ask a hub."""

    def run(source: object, task: str, *options: str, **changes: str) -> subprocess.CompletedProcess[str]:
        words = (str(source), "--task", task, "--name", publisher.name, *options)
        imported = LIBRARIES if Path(str(source)).is_dir() and not changes else IMPORTED
        return run_mlp("models", "register-classifier", *words, environment=environment | changes, imported=imported)

    return run


@pytest.mark.parametrize("task", list(Task))
def test_a_folder_becomes_a_version_that_scores_files(
    task: Task, register: Register, publisher: Publisher, tmp_path: Path
) -> None:
    source = save(task, tmp_path / "model")
    done = register(source, task, "--description", "of a test", "--json")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "%|" not in done.stderr  # the bars that Transformers draws
    answer = json.loads(done.stdout)
    assert (answer["model"], answer["version"], answer["task"]) == (publisher.name, "1", task)
    assert answer["labels"] == LABELS[task]
    version = publisher.registry.get_version(publisher.name, "1")
    assert version.tags[tag.TASK] == task
    assert mlflow.MlflowClient().get_model_version(publisher.name, "1").description == "of a test"
    described = mlflow.models.get_model_info(f"models:/{publisher.name}/1")
    assert described.metadata == {"source": str(source)}
    assert described.flavors["transformers"]["source_model_name"] == ""

    settings = ServingSettings(mlflow_url=publisher.registry.tracking_url, serving_cache=tmp_path / "cache")
    trial = try_version(settings, publisher.name, "1")
    assert trial.ok, trial.reason
    model = make_loader(publisher.registry, settings).load(version)
    read, content = (read_text, b"good film") if task is Task.TEXTS else (read_image, picture())
    ((output, error),) = file_scorer(model)(model, [partial(read, content, Limits())], {"threshold": 0}, lambda: None)
    assert error is None
    found = json.loads(output)
    told = found["detections"] if task is Task.OBJECTS else found["top"]
    assert told
    assert {one["label"] for one in told} <= set(LABELS[task])


async def test_a_classifier_of_texts_is_served(
    register: Register, publisher: Publisher, settings_env: dict[str, str], tmp_path: Path
) -> None:
    done = register(save(Task.TEXTS, tmp_path / "model"), Task.TEXTS)

    assert done.returncode == 0, done.stdout + done.stderr
    assert f"version 1 of {publisher.name}: text-classification, 2 classes" in done.stdout
    assert f"promote_model.py --model {publisher.name} --version 1 --stage Production" in done.stdout
    publisher.registry.set_alias(publisher.name, PRODUCTION, "1")
    async with serving(settings_env, publisher, tmp_path / "cache") as running:
        await eventually(lambda: running.serves(publisher.name, "1", ["good film"]))
        (one,) = (await running.predict(publisher.name, ["bad film"])).json()["predictions"]
    assert one["label"] in LABELS[Task.TEXTS]


@pytest.mark.parametrize("task", [Task.IMAGES, Task.OBJECTS])
def test_a_model_of_images_is_promoted(
    task: Task, register: Register, publisher: Publisher, environment: dict[str, str], tmp_path: Path
) -> None:
    assert register(save(task, tmp_path / "model"), task).returncode == 0
    options = ("--model", publisher.name, "--version", "1", "--stage", "Production", "--actor", "ada")
    probe = {"ML_SERVABILITY_COMMAND": shlex.join([*python_with(*LIBRARIES), *PROBE[1:]])}
    done = run_program("scripts/promote_model.py", *options, environment=environment | probe)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "signature: passed" in done.stdout
    assert "servability: passed" in done.stdout


@pytest.mark.parametrize("versions", [0, 1])
def test_a_name_of_another_service_is_refused(
    versions: int, register: Register, publisher: Publisher, tmp_path: Path
) -> None:
    if versions:
        publisher.linear(served_by="embedding")
    else:
        mlflow.MlflowClient().create_registered_model(publisher.name, {tag.SERVED_BY: "embedding"})
    refused = register(save(Task.TEXTS, tmp_path / "model"), Task.TEXTS)

    assert refused.returncode == 1
    said = " ".join(refused.stderr.split())
    assert f"{publisher.name!r} is a model of the embedding service" in said
    assert "choose another name" in said
    assert "Traceback" not in said
    assert len(publisher.registry.list_versions(publisher.name)[0]) == versions


def test_the_name_of_a_model_that_is_served_is_taken_for_another_version(
    register: Register, publisher: Publisher, tmp_path: Path
) -> None:
    publisher.linear()
    done = register(save(Task.TEXTS, tmp_path / "model"), Task.TEXTS, "--json")

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["version"] == "2"


def test_a_hub_is_asked_once_for_the_revision(register: Register, publisher: Publisher, tmp_path: Path) -> None:
    pinned = save(Task.TEXTS, tmp_path / "pinned")
    (pinned / "pytorch_model.bin").write_bytes(b"a pickle")
    (pinned / "modeling.py").write_text("raise SystemExit")
    with hub_of("owner/model", {"v1": pinned}) as hub:
        done = register("owner/model", Task.TEXTS, "--revision", "v1", "--json", HF_ENDPOINT=hub.url)

    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["labels"] == LABELS[Task.TEXTS]
    described = mlflow.models.get_model_info(f"models:/{publisher.name}/1")
    assert described.metadata == {"source": "owner/model", "revision": "v1"}
    fetched = [path.rpartition("/")[2] for path in hub.asked if "/resolve/" in path]
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= set(fetched)
    assert not {"pytorch_model.bin", "modeling.py"}.intersection(fetched)


def test_a_folder_needs_no_hub(register: Register, tmp_path: Path) -> None:
    source = save(Task.IMAGES, tmp_path / "owner" / "model")
    with hub_of("owner/model", {}) as hub:
        done = register(source, Task.IMAGES, HF_ENDPOINT=hub.url)

    assert done.returncode == 0, done.stdout + done.stderr
    assert not hub.asked


def test_a_hub_that_cannot_be_reached(register: Register, publisher: Publisher) -> None:
    refused = register("owner/model", Task.TEXTS)

    assert (refused.returncode, "cannot be fetched" in refused.stderr) == (1, True), refused.stderr
    assert "give a folder" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert publisher.name not in {model.name for model in publisher.registry.all_models()}
