"""What routes need of the running service."""

from fastapi import Request

from services.search.bulk.uploads import Uploads
from services.search.index import Index
from services.search.query.weights import Weights
from services.search.settings import SearchSettings
from services.search.states.states import ItemStates


def get_index(request: Request) -> Index:
    """Return the index."""
    index: Index = request.app.state.index
    return index


def get_states(request: Request) -> ItemStates:
    """Return the states of items."""
    states: ItemStates = request.app.state.item_states
    return states


def get_uploads(request: Request) -> Uploads:
    """Return what reads uploads."""
    uploads: Uploads = request.app.state.uploads
    return uploads


def get_weights(request: Request) -> Weights:
    """Return the weights of indexes."""
    weights: Weights = request.app.state.weights
    return weights


def get_settings(request: Request) -> SearchSettings:
    """Return the settings of the service."""
    settings: SearchSettings = request.app.state.settings
    return settings
