"""A URL to a file, by pooch: checked against its SHA-256, tried again when it breaks off, whole or not there at all."""

import logging
import sys
from pathlib import Path
from typing import IO, Any

log = logging.getLogger(__name__)
TRIES = 3
TIMEOUT = 20  # seconds without a byte
LARGEST = 200 * 10**9  # bytes of a file whose config tells no size


def download(url: str, path: Path, sha256: str | None, size: int | None = None) -> None:
    """Write the file at `url`, of `size` bytes where that is known, to `path`.

    ValueError says in a few words why it did not come; one that sends more is cut off.
    """
    import pooch
    import requests

    if not url.startswith(("https://", "http://")):
        raise ValueError("allowed are https:// and http://")
    pooch.get_logger().setLevel(logging.ERROR)  # we say ourselves what is fetched
    log.info(f"fetch: {url}")
    # a server must not pack or unpack on the way what the checksum holds for
    headers = {"Accept-Encoding": "identity"}
    http = pooch.HTTPDownloader(progressbar=sys.stderr.isatty(), headers=headers, timeout=TIMEOUT)

    def downloader(url: str, output: str, registry: Any) -> None:
        with open(output, "wb") as file:
            http(url, _Capped(file, size or LARGEST), registry)

    fetcher = pooch.create(
        path.parent, base_url="", registry={path.name: sha256}, urls={path.name: url}, retry_if_failed=TRIES - 1
    )
    try:
        fetcher.fetch(path.name, downloader=downloader)
    except requests.HTTPError as error:
        raise ValueError(f"the server answers {str(error).partition(' for url')[0]}") from None
    except requests.Timeout:
        raise ValueError(f"no answer within {TIMEOUT} s") from None
    except requests.exceptions.ChunkedEncodingError:
        raise ValueError(f"broke off {TRIES} times") from None
    except (requests.exceptions.InvalidSchema, requests.exceptions.InvalidURL):
        raise ValueError("leads on to another place than https:// or http://") from None
    except requests.TooManyRedirects:
        raise ValueError("leads on and on") from None
    except requests.RequestException:
        raise ValueError("cannot connect") from None
    except _TooLongError as error:
        raise ValueError(str(error)) from None
    except ValueError as error:  # pooch's, which ends in: expected … but got ….
        found = str(error).partition("known hash: ")[2].partition(".")[0]
        raise ValueError(f"wrong checksum: {found}" if found else str(error)) from None


class _TooLongError(Exception):
    """Not a ValueError, which pooch would try again."""


class _Capped:
    """A file that takes no more than so many bytes."""

    def __init__(self, file: IO[bytes], most: int) -> None:
        self.file, self.left, self.most = file, most, most

    def write(self, data: bytes) -> int:
        """Write, or refuse what is beyond."""
        self.left -= len(data)
        if self.left < 0:
            raise _TooLongError(f"sends more than {self.most:,} bytes; if that is right, mend the file's `size`")
        return self.file.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)
