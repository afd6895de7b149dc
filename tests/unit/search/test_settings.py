"""Settings that decide whether search can reach the embedding service."""

import pytest

from mlplatform.settings import UnsafeSettings
from services.search.settings import SearchSettings

ISSUER = {"auth_enabled": True, "jwt_jwks_url": "https://issuer.example/jwks"}


class TestEmbeddingKey:
    def test_is_required_where_tokens_come_from_an_issuer(self):
        with pytest.raises(UnsafeSettings, match="ML_SEARCH_EMBEDDING_KEY"):
            SearchSettings(**ISSUER)

    def test_lets_search_start_there(self):
        assert SearchSettings(**ISSUER, search_embedding_key="mlk_a.b").search_embedding_key is not None

    def test_is_not_needed_with_a_shared_secret(self):
        assert SearchSettings(auth_enabled=True, jwt_secret="x" * 40).search_embedding_key is None
