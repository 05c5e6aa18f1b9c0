"""GET /health: whether the server accepts requests."""

from http import HTTPStatus

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from foundling.serving.state import StateOf

router = APIRouter()


@router.get("/health")
async def health(state: StateOf) -> JSONResponse:
    """200 while requests are accepted, 503 while the server stops."""
    if state.traffic.is_draining:
        return JSONResponse({"status": "draining"}, HTTPStatus.SERVICE_UNAVAILABLE)
    return JSONResponse({"status": "ok"})
