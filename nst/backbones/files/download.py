"""Files from elsewhere, kept in torch's cache."""

from __future__ import annotations

import queue
import threading
import urllib.error
import urllib.request
from pathlib import Path, PurePosixPath

import torch

from nst.errors import InputError

PATIENCE = 10.0
"""Seconds within which a server has to answer at all; a download takes as long as it takes."""


def downloaded(url: str, remedies: str) -> Path:
    """A file from torch's cache, or downloaded into it with a progress bar.

    Args:
        url: its name ends with ``-`` and the first digits of its sha256, as torchvision's files do
        remedies: what else can be done where the download fails, for the message

    Raises:
        InputError: no network, no such file, or one with another sha256.
    """
    path = Path(torch.hub.get_dir()) / "checkpoints" / PurePosixPath(url).name
    if path.is_file():
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _require_answer(url)
        torch.hub.download_url_to_file(url, str(path), hash_prefix=digest_prefix(url))
    except (OSError, RuntimeError) as error:
        raise InputError(
            f"could not download {path.name} from {url} ({error}); fetch it elsewhere and put it "
            f"at {path}, or {remedies}"
        ) from error
    return path


def digest_prefix(url: str) -> str:
    """The first digits of a file's sha256, from its name.

    >>> digest_prefix("https://download.pytorch.org/models/vgg19-dcbb9e9d.pth")
    'dcbb9e9d'
    """
    return PurePosixPath(url).stem.rpartition("-")[2]


def _require_answer(url: str) -> None:
    """Ask a server for a file's headers, so that a dead network shows within :data:`PATIENCE`.

    To look a name up and to try one address after the other may each take minutes and have no
    limit in common, so a thread asks, which can be left alone.

    Raises:
        OSError: no connection, or no answer in time.
    """
    answers: queue.Queue[OSError | None] = queue.Queue()

    def ask() -> None:
        request = urllib.request.Request(url, method="HEAD", headers={"User-Agent": "torch.hub"})
        try:
            urllib.request.urlopen(request, timeout=PATIENCE).close()
        except urllib.error.HTTPError as error:  # an answer; the download itself will say which
            error.close()
        except OSError as error:
            answers.put(error)
        answers.put(None)

    threading.Thread(target=ask, daemon=True).start()
    try:
        error = answers.get(timeout=PATIENCE)
    except queue.Empty:
        error = TimeoutError(f"no answer within {PATIENCE:g} s")
    if error is not None:
        raise error
