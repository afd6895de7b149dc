"""What can be wrong with a model that comes in a folder: one that embeds, re-ranks or classifies."""


class EmbedderError(Exception):
    """It cannot be registered; the message says why and what to do."""
