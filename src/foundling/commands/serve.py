"""Serve models as an API and a page: foundling serve, then http://127.0.0.1:8000; docs/serving.md."""

import logging
from importlib.util import find_spec

from foundling.device import dtype_of, set_up
from foundling.inputs import served_models
from foundling.settings import Job

log = logging.getLogger(__name__)
NEEDED = ("fastapi", "uvicorn", "prometheus_client")


def run(job: Job) -> None:
    """Load the models and answer requests until SIGTERM or Ctrl-C."""
    settings = job.settings.serve
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise ValueError(
            f"foundling serve needs {', '.join(missing)}; run pip install -c constraints.txt -e '.[serve]'"
        )
    from foundling.serving.security import read_key
    from foundling.serving.server import address, listen
    from foundling.serving.server import run as run_server

    key = read_key(settings)
    with listen(settings) as listener:  # an address in use is reported before torch is imported
        from foundling.serving.app import create_app
        from foundling.serving.loading import load_models

        folders = served_models(settings.models)
        limits = settings.limits
        models = load_models(
            folders,
            set_up(job.settings.runtime),
            dtype=dtype_of(job.settings.runtime),
            rows=limits.rows,
            queue=limits.queue,
            prefix_tokens=limits.prefix_tokens,
        )
        app = create_app(models, settings, key)
        names = ", ".join(f"{model.name} ({model.kind})" for model in models)
        print(f"serving {names} on {address(listener)}; Ctrl-C stops", flush=True)
        run_server(app, listener, settings)
