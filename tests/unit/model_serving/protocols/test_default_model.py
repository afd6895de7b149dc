"""Which model `/invocations` means."""

import pytest

from mlplatform.errors import BadRequest, NotFound
from services.model_serving.protocols.mlflow_scoring.default_model import default_model


class TestDefaultModel:
    def test_is_the_one_that_is_set(self):
        assert default_model("a", {"b", "c"}) == "a"

    def test_is_the_only_one(self):
        assert default_model(None, {"b"}) == "b"

    def test_says_what_to_do(self):
        with pytest.raises(NotFound, match="ML_SERVING_DEFAULT_MODEL"):
            default_model(None, set())
        with pytest.raises(BadRequest, match="/models/NAME/invocations"):
            default_model(None, {"b", "c"})
