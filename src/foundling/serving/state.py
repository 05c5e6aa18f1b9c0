"""What the routes share: the models, the settings, the thread for other work, the traffic and the metrics."""

from dataclasses import dataclass
from typing import Annotated, TypeAlias

from fastapi import Depends, Request
from prometheus_client import CollectorRegistry

from foundling.serving.compute import Compute
from foundling.serving.limits import Traffic
from foundling.serving.loading import Models
from foundling.settings.commands import Serve, ServeLimits


@dataclass(frozen=True)
class State:
    """The state of one application, `app.state.serving`."""

    models: Models
    settings: Serve
    compute: Compute
    traffic: Traffic
    registry: CollectorRegistry

    @property
    def limits(self) -> ServeLimits:
        """The limits of requests."""
        return self.settings.limits


async def _read(request: Request) -> State:
    state: State = request.app.state.serving
    return state


StateOf: TypeAlias = Annotated[State, Depends(_read)]
