"""The embeddings protocol of the OpenAI API, so that its clients work here."""

from services.embedding.openai.routes import ROUTES

__all__ = ["ROUTES"]
