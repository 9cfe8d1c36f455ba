"""One download over HTTPS and nothing else: retried, resumed where it broke off, with progress."""

import os
import time
from typing import BinaryIO

import requests
from requests.adapters import HTTPAdapter
from tqdm import tqdm

ATTEMPTS = 4  # in a row that bring nothing
FIRST_WAIT = 1.0  # seconds before the second attempt; doubled each time
TIMEOUT = (10.0, 60.0)  # seconds to connect, and to wait for the next bytes
CHUNK = 1 << 18
TEMPORARY = (408, 416, 429, 500, 502, 503, 504)  # answers after which it is worth trying again


class DownloadError(OSError):
    """A server did not hand out the file; the message says what it did instead."""


class _TryAgainError(DownloadError):
    """The same, but another attempt may succeed."""


def download(
    url: str, output_file: str | os.PathLike[str], _pooch: object = None, *, size: int,
    progress: bool = True,
) -> None:  # fmt: skip
    """Write `size` bytes from an https URL to a file; a downloader for `pooch.retrieve`.

    A redirect to anything but https is refused: no other protocol is mounted on the session.

    Raises:
        DownloadError: refused redirect, an answer like 404, another size, or four attempts in a
            row that brought nothing.
        OSError: the file cannot be written.
    """
    bar = _bar(size, progress)
    with requests.Session() as session, open(output_file, "w+b") as out, bar:
        session.adapters.clear()
        session.mount("https://", HTTPAdapter())
        session.headers["Accept-Encoding"] = "identity"  # the size is that of the file itself
        fruitless = 0
        while True:
            before = out.tell()
            try:
                _attempt(session, url, out, size, bar)
                return
            except _TryAgainError:
                fruitless = 1 if out.tell() > before else fruitless + 1
                if fruitless == ATTEMPTS:
                    raise
                time.sleep(FIRST_WAIT * 2 ** (fruitless - 1))


def _bar(size: int, progress: bool) -> tqdm:
    """Size, speed and time left; only where somebody watches the terminal."""
    return tqdm(
        total=size, unit="B", unit_scale=True, desc="downloading", leave=False,
        disable=None if progress else True,
    )  # fmt: skip


def _attempt(session: requests.Session, url: str, out: BinaryIO, size: int, bar: tqdm) -> None:
    """Fetch what is missing behind the bytes that `out` has already."""
    have = out.tell()
    headers = {"Range": f"bytes={have}-"} if have else {}
    try:
        with session.get(url, headers=headers, stream=True, timeout=TIMEOUT) as answer:
            if answer.status_code in (200, 206, 416) and not _resumes(answer, have):
                have = 0  # the whole file again, or no rest to be had
                out.seek(0)
                out.truncate()
                if answer.status_code == 206:
                    raise _TryAgainError("sends another part of the file than was asked for")
            _check(answer, size, have)
            bar.reset()
            bar.update(have)
            for piece in answer.iter_content(CHUNK):
                have += len(piece)
                if have > size:
                    raise DownloadError(f"sends more than the {size:,} bytes wanted")
                out.write(piece)
                bar.update(len(piece))
    except requests.exceptions.InvalidSchema as error:
        raise DownloadError(f"redirects to what is not https, refused ({error})") from error
    except requests.exceptions.SSLError as error:
        raise DownloadError(f"its certificate cannot be trusted ({error})") from error
    except (
        requests.exceptions.ConnectionError,
        requests.exceptions.Timeout,
        requests.exceptions.ChunkedEncodingError,
    ) as error:
        problem = f"no answer, or broke off after {out.tell():,} bytes ({_reason(error)})"
        raise _TryAgainError(problem) from error
    except requests.exceptions.RequestException as error:
        raise DownloadError(str(error)) from error
    if have < size:
        raise _TryAgainError(f"ended after {have:,} of {size:,} bytes")


def _reason(error: BaseException) -> str:
    """What the innermost error says, without the names of the objects that passed it on."""
    while error.args and isinstance(error.args[0], BaseException):
        error = error.args[0]
    inner = getattr(error, "reason", None) or error
    return str(inner).rsplit(">: ", 1)[-1].split("): ", 1)[-1]


def _check(answer: requests.Response, size: int, have: int) -> None:
    """Raise DownloadError unless the answer brings the file, or the rest of it."""
    if answer.status_code not in (200, 206):
        kind = _TryAgainError if answer.status_code in TEMPORARY else DownloadError
        raise kind(f"answered {answer.status_code} {answer.reason}")
    length = answer.headers.get("Content-Length", "")
    if length.isdigit() and int(length) != size - have:
        raise DownloadError(f"announces {int(length):,} bytes, wanted {size - have:,}")


def _resumes(answer: requests.Response, have: int) -> bool:
    content = answer.headers.get("Content-Range", "")
    return bool(have) and answer.status_code == 206 and content.startswith(f"bytes {have}-")
