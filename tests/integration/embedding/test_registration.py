import asyncio

import mlflow
import pytest

from mlplatform.registry.registry import Registry
from services.embedding import model_files, registration
from services.embedding.errors import ModelNotLoaded
from services.embedding.node import Node
from tests.integration.embedding.waiting import eventually


@pytest.fixture
def registry(stack_env, unique, monkeypatch):
    """A registry in which the text embedder has a name of its own."""
    name = f"{unique}-text-embedder"
    monkeypatch.setattr(registration, "MODEL", name)
    monkeypatch.setattr(model_files, "MODEL", name)
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(stack_env["ML_MLFLOW_URL"])
    yield Registry(stack_env["ML_MLFLOW_URL"])
    mlflow.set_tracking_uri(before)
    client = mlflow.MlflowClient(stack_env["ML_MLFLOW_URL"])
    for model in client.search_registered_models(f"name = '{name}'"):
        client.delete_registered_model(model.name)


class TestRegisterDefaultModel:
    def test_it_is_in_production_with_its_digest_and_its_service(self, registry):
        registration.register_default_model(registry)

        version = registry.resolve(registration.MODEL)
        assert (version.version, version.aliases, version.stage) == ("1", ("production",), "Production")
        assert version.digest is not None
        assert registry.get_model(registration.MODEL).served_by == "embedding"

    def test_any_mlflow_client_can_load_it(self, registry):
        registration.register_default_model(registry)

        model = mlflow.pyfunc.load_model(f"models:/{registration.MODEL}@production")

        assert model.predict(["one text", "another"]).shape == (2, 384)

    async def test_nodes_that_start_together_register_it_once(self, registry, settings, kernel):
        nodes = [Node(settings, kernel, registry) for _ in range(2)]

        await asyncio.gather(*(node._register_default() for node in nodes))

        versions, _ = registry.list_versions(registration.MODEL)
        assert [version.version for version in versions] == ["1"]


class TestFetch:
    def test_the_same_weights_registered_twice_have_one_digest(self, registry, tmp_path):
        registration.register_default_model(registry)
        first = model_files.fetch(registry, tmp_path)
        registration.register_default_model(registry)
        second = model_files.fetch(registry, tmp_path)

        assert (first.version, second.version) == ("1", "2")
        assert first.digest == second.digest

    def test_what_was_fetched_before_is_served_while_the_registry_is_down(self, registry, tmp_path):
        registration.register_default_model(registry)
        before = model_files.fetch(registry, tmp_path)

        after = model_files.fetch(Registry("http://127.0.0.1:9"), tmp_path)

        assert (after.version, after.folder, after.production_version) == (before.version, before.folder, None)

    def test_each_version_that_was_fetched_is_served_while_the_registry_is_down(self, registry, tmp_path):
        registration.register_default_model(registry)
        registration.register_default_model(registry)
        production = model_files.fetch(registry, tmp_path)
        model_files.fetch(registry, tmp_path, "1")

        down = Registry("http://127.0.0.1:9")
        assert model_files.fetch(down, tmp_path).version == production.version == "2"
        assert model_files.fetch(down, tmp_path, "1").version == "1"

    def test_a_cached_model_that_was_changed_is_not_served(self, registry, tmp_path):
        registration.register_default_model(registry)
        (model_files.fetch(registry, tmp_path).folder / "vocab.txt").write_text("changed")

        with pytest.raises(model_files.RegistryUnavailable, match="damaged"):
            model_files.fetch(Registry("http://127.0.0.1:9"), tmp_path)


class TestNode:
    async def test_without_anything_it_says_why_and_does_not_die(self, settings, kernel):
        node = Node(settings, kernel, Registry("http://127.0.0.1:9"))
        task = asyncio.create_task(node.run())

        await eventually(lambda: "does not answer" in node._problem)

        assert not task.done()
        with pytest.raises(ModelNotLoaded, match="MLflow"):
            await node.check()
        node.stop()
        await task
