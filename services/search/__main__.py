"""Run the search service: `python -m services.search`."""

from mlplatform.service.runner import run_service
from services.search.app import NAME, create_app
from services.search.settings import SearchSettings

if __name__ == "__main__":
    settings = SearchSettings()
    run_service(lambda: create_app(settings), settings, settings.search_port, name=NAME)
