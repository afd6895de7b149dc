"""Run the embedding service: `python -m services.embedding`."""

from mlplatform.service.runner import run_service
from services.embedding.app import NAME, create_app
from services.embedding.settings import EmbeddingSettings

if __name__ == "__main__":
    settings = EmbeddingSettings()
    run_service(lambda: create_app(settings), settings, settings.embedding_port, name=NAME)
