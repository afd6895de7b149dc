"""What can be wrong with an embedding model."""


class EmbedderError(Exception):
    """It cannot be registered; the message says why and what to do."""
