"""The texts that a model was trained to have before queries and before documents.

They are in the model's own files, so two models that differ in them differ in their digest too.
"""

from collections.abc import Mapping

QUERY = "query"
DOCUMENT = ("document", "passage", "corpus")
"""Names that sentence-transformers looks for, the first one first."""


def query_prompt(prompts: Mapping[str, str]) -> str:
    """Return what goes before a query; nothing when the model has no such prompt."""
    return prompts.get(QUERY) or ""


def document_prompt(prompts: Mapping[str, str]) -> str:
    """Return what goes before a document; nothing when the model has no such prompt."""
    return next((prompts[name] for name in DOCUMENT if prompts.get(name)), "")
