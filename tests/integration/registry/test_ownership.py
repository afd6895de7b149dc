"""Names of models that are another service's, or of another kind."""

from dataclasses import replace

import mlflow
import pytest

from mlplatform.registry.errors import RegistryRefused
from mlplatform.registry.ownership import check_owner
from services.embedding import registration
from tests.fixtures.programs import LIBRARIES, run_mlp
from tests.integration.embedding.cross_encoders import Rerankers, rerankers
from tests.integration.embedding.tiny import Embedders, embedders
from tests.integration.model_serving.conftest import publisher
from tests.integration.model_serving.publisher import Publisher

__all__ = ["embedders", "publisher", "rerankers"]


@pytest.fixture
def client(publisher: Publisher) -> mlflow.MlflowClient:
    return mlflow.MlflowClient(publisher.registry.tracking_url)


class TestCheckOwner:
    def test_a_new_name(self, publisher: Publisher) -> None:
        check_owner(publisher.registry, publisher.name, "embedding")

    def test_a_name_of_the_embedding_service(self, publisher: Publisher, client: mlflow.MlflowClient) -> None:
        client.create_registered_model(publisher.name, {"ml.served_by": "embedding"})
        check_owner(publisher.registry, publisher.name, "embedding")
        with pytest.raises(RegistryRefused, match=r"is a model of the embedding service, .* choose another name"):
            check_owner(publisher.registry, publisher.name, "serving")

    def test_a_name_of_model_serving_is_so_once_it_has_a_version(
        self, publisher: Publisher, client: mlflow.MlflowClient
    ) -> None:
        client.create_registered_model(publisher.name)
        check_owner(publisher.registry, publisher.name, "embedding")
        publisher.linear()
        check_owner(publisher.registry, publisher.name, "serving")
        with pytest.raises(RegistryRefused, match="is a model of the serving service"):
            check_owner(publisher.registry, publisher.name, "embedding")


class TestKinds:
    """Both are loaded by the embedding service, each for what the other cannot do."""

    def refusal(self, environment: dict[str, str], *words: str) -> str:
        refused = run_mlp("models", *words, environment=environment, imported=LIBRARIES)
        assert refused.returncode == 1, refused.stdout + refused.stderr
        assert "Traceback" not in refused.stderr
        return " ".join(refused.stderr.split())

    def test_an_embedder_is_no_version_of_a_re_ranker(
        self, embedders: Embedders, rerankers: Rerankers, settings_env: dict[str, str]
    ) -> None:
        rerankers.add(1)

        said = self.refusal(settings_env, "register-embedder", str(embedders.made(1)), "--name", rerankers.name)

        assert f"{rerankers.name!r} is the name of a text-reranker" in said
        assert "choose another name" in said
        assert len(rerankers.registry.list_versions(rerankers.name)[0]) == 1

    def test_a_re_ranker_is_no_version_of_an_embedder(
        self, embedders: Embedders, rerankers: Rerankers, settings_env: dict[str, str]
    ) -> None:
        _, folder = rerankers.add(1)

        said = self.refusal(settings_env, "register-reranker", str(folder), "--name", registration.MODEL)

        assert f"{registration.MODEL!r} is the name of a text-embedder" in said
        assert len(embedders.registry.list_versions(registration.MODEL)[0]) == 2

    def test_the_version_in_production_says_what_the_name_is_for(
        self, embedders: Embedders, rerankers: Rerankers
    ) -> None:
        """A version of another kind may have come in before names were kept apart."""
        mistaken = replace(rerankers, name=registration.MODEL)
        mistaken.add(1)

        check_owner(embedders.registry, registration.MODEL, "embedding", "text-embedder")
        with pytest.raises(RegistryRefused, match="the name of a text-embedder"):
            check_owner(embedders.registry, registration.MODEL, "embedding", "text-reranker")
