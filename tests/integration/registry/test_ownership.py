"""Names of models that are another service's."""

import mlflow
import pytest

from mlplatform.registry.errors import RegistryRefused
from mlplatform.registry.ownership import check_owner
from tests.integration.model_serving.conftest import publisher
from tests.integration.model_serving.publisher import Publisher

__all__ = ["publisher"]


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
