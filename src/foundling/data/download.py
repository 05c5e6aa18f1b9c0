"""A URL to a file, by pooch: checked against its SHA-256, tried again when it breaks off, whole or not there at all."""

import logging
import sys
from pathlib import Path

log = logging.getLogger(__name__)
TRIES = 3
TIMEOUT = 20  # seconds without a byte


def download(url: str, path: Path, sha256: str | None) -> None:
    """Write the file at `url` to `path`; ValueError says in a few words why it did not come."""
    import pooch
    import requests

    if not url.startswith(("https://", "http://")):
        raise ValueError("allowed are https:// and http://")
    pooch.get_logger().setLevel(logging.ERROR)  # we say ourselves what is fetched
    log.info(f"fetch: {url}")
    # a server must not pack or unpack on the way what the checksum holds for
    headers = {"Accept-Encoding": "identity"}
    downloader = pooch.HTTPDownloader(progressbar=sys.stderr.isatty(), headers=headers, timeout=TIMEOUT)
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
    except requests.RequestException:
        raise ValueError("cannot connect") from None
    except ValueError as error:  # pooch's, which ends in: expected … but got ….
        found = str(error).partition("known hash: ")[2].partition(".")[0]
        raise ValueError(f"wrong checksum: {found}" if found else str(error)) from None
