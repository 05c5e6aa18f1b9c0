"""GET /health: whether the server accepts requests."""

from http import HTTPStatus

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

router = APIRouter()


@router.get("/health")
async def health(request: Request) -> JSONResponse:
    """200 while requests are accepted, 503 while the server stops."""
    if request.app.state.traffic.is_draining:
        return JSONResponse({"status": "draining"}, HTTPStatus.SERVICE_UNAVAILABLE)
    return JSONResponse({"status": "ok"})
