#!/usr/bin/env python
"""Write the pages of the documentation that come from code: the settings table and the events; see `make docs`."""

from pathlib import Path

from mlplatform.events import reference as events
from mlplatform.registry.settings import PromotionSettings
from mlplatform.settings import PlatformSettings
from mlplatform.settings.reference import render_reference
from services.embedding.settings import EmbeddingSettings
from services.model_serving.batch.settings import BatchSettings
from services.model_serving.monitoring.settings import MonitoringSettings
from services.model_serving.settings import ServingSettings
from services.search.settings import SearchSettings

DOCS = Path(__file__).parents[1] / "docs"
CLASSES = (
    PlatformSettings,
    ServingSettings,
    MonitoringSettings,
    BatchSettings,
    EmbeddingSettings,
    SearchSettings,
    PromotionSettings,
)
HEADING = """# Settings

Written by `make docs` from the settings classes. Sources, first wins: environment, Vault (when `ML_VAULT_ADDR` is set),
`.env`, the embedded stack's `stack.env` (never in production), defaults. Durations are written `500ms`, `20s`, `5m`;
sizes `16MiB`.

"""


def settings_page() -> str:
    """Return the settings page."""
    return HEADING + render_reference(CLASSES)


def main() -> None:
    """Write the pages."""
    (DOCS / "reference" / "settings.md").write_text(settings_page(), encoding="utf-8")
    events.main([str(DOCS / "events")])


if __name__ == "__main__":
    main()
