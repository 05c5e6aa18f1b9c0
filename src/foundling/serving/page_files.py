"""The page for people: static files in page/, served with strict security headers."""

from pathlib import Path

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

PAGE = Path(__file__).parent / "page"
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",  # browsers ask whether a file has changed
}


class PageFiles(StaticFiles):
    """Static files with the page's headers: scripts only from here, no other server, no frames."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers.update(HEADERS)
        return response


def page_paths() -> list[str]:
    """The paths of the page's files, which need no API key."""
    files = (file.relative_to(PAGE).as_posix() for file in PAGE.rglob("*") if file.is_file())
    return ["/", *(f"/{name}" for name in sorted(files))]
