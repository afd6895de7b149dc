"""What routes need of the running service."""

from fastapi import Request

from services.embedding.node import Node
from services.embedding.settings import EmbeddingSettings


def get_node(request: Request) -> Node:
    """Return the embedding node."""
    node: Node = request.app.state.node
    return node


def get_settings(request: Request) -> EmbeddingSettings:
    """Return the settings of the service."""
    settings: EmbeddingSettings = request.app.state.settings
    return settings
