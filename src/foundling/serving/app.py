"""The application: routes, middleware and the page, around the served models."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.middleware import Middleware
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse, Response
from prometheus_client import CollectorRegistry
from starlette.exceptions import HTTPException

from foundling.serving import (
    embeddings,
    health,
    inspect_router,
    metrics,
    ollama,
    ollama_models,
    openai_chat,
    openai_completions,
    openai_models,
    tasks,
)
from foundling.serving.compute import Compute
from foundling.serving.errors import ApiError
from foundling.serving.limits import Limits, Traffic
from foundling.serving.loading import Models
from foundling.serving.page_files import PAGE, PageFiles, page_paths
from foundling.serving.responses import ClientGone
from foundling.serving.security import Security
from foundling.serving.state import State
from foundling.settings.commands import Serve

ROUTERS = tuple(
    module.router
    for module in (
        health,
        openai_models,
        openai_chat,
        openai_completions,
        embeddings,
        tasks,
        ollama_models,
        ollama,
        metrics,
        inspect_router,
    )
)


def create_app(models: Models, settings: Serve, key: str | None = None) -> FastAPI:
    """The application, which takes over the models and closes them.

    Routes get its `State` as an argument.
    """
    traffic, registry = Traffic(), CollectorRegistry()
    registry.register(metrics.EngineCollector(models))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        models.close()

    middleware = [
        Middleware(metrics.Monitor, registry=registry),
        Middleware(Security, settings=settings, key=key, public=("/health", *page_paths())),
        Middleware(Limits, limits=settings.limits, traffic=traffic),
    ]
    if settings.allowed_origins:
        cors = Middleware(
            CORSMiddleware, allow_origins=settings.allowed_origins, allow_methods=["*"], allow_headers=["*"]
        )
        middleware.insert(0, cors)
    # no pages about the API: FastAPI's load their scripts from another server
    app = FastAPI(title="Foundling", openapi_url=None, middleware=middleware, lifespan=lifespan)
    compute = Compute(settings.limits.queue)
    app.state.serving = State(models, settings, compute, traffic, registry)
    for router in ROUTERS:
        app.include_router(router)
    app.add_exception_handler(ApiError, _api_error)
    app.add_exception_handler(ClientGone, _client_gone)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _server_error)
    app.mount("/", PageFiles(directory=PAGE, html=True))
    return app


async def _api_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ApiError)
    return error.response(request.scope)


async def _client_gone(request: Request, error: Exception) -> Response:
    """Nobody reads this."""
    return Response(status_code=499)


async def _http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    what = {
        HTTPStatus.NOT_FOUND: "there is nothing at this path; docs/serving.md lists the paths",
        HTTPStatus.METHOD_NOT_ALLOWED: f"{request.method} is not possible here",
    }
    message = what.get(HTTPStatus(error.status_code), str(error.detail))
    return ApiError(message, error.status_code, headers=error.headers).response(request.scope)


async def _server_error(request: Request, error: Exception) -> JSONResponse:
    """An error of our own, whose traceback uvicorn logs; clients learn nothing about it."""
    return ApiError("the server failed", HTTPStatus.INTERNAL_SERVER_ERROR).response(request.scope)
