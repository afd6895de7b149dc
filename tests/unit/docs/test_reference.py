"""The reference pages in the repository are those that the code gives."""

import runpy
from pathlib import Path

ROOT = Path(__file__).parents[3]


class TestSettingsPage:
    def test_is_up_to_date(self):
        written = runpy.run_path(str(ROOT / "scripts" / "reference.py"))["settings_page"]()
        committed = (ROOT / "docs" / "reference" / "settings.md").read_text(encoding="utf-8")
        assert committed == written, "run `make docs` and commit docs/reference/settings.md"

    def test_shows_no_secret_and_every_service(self):
        committed = (ROOT / "docs" / "reference" / "settings.md").read_text(encoding="utf-8")
        assert {"ML_SERVING_PORT", "ML_EMBEDDING_PORT", "ML_SEARCH_PORT", "ML_PROMOTION_WAIT"} <= set(
            committed.replace("`", " ").split()
        )
        assert "postgresql://" not in committed
