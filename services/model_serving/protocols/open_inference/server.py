"""Endpoints of the server itself."""

from mlplatform.service import DirectRequest, DirectResponse
from services.model_serving.protocols.open_inference.metadata import SERVER


async def show_server(_: DirectRequest) -> DirectResponse:
    """Name the server and its extensions."""
    return DirectResponse(SERVER)
