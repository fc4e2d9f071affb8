"""A dead network shows soon, a slow one is waited for."""

from __future__ import annotations

import hashlib
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from nst.backbones.files import download
from nst.errors import InputError

CONTENT = bytes(range(256)) * 8
NAME = f"weights-{hashlib.sha256(CONTENT).hexdigest()[:8]}.pth"


@pytest.fixture(autouse=True)
def torch_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(download, "PATIENCE", 0.3)


class Slow(BaseHTTPRequestHandler):
    """Answers at once; the content comes with pauses longer than the patience."""

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()

    def do_GET(self) -> None:
        self.do_HEAD()
        for part in (CONTENT[:1000], CONTENT[1000:]):
            time.sleep(0.5)
            self.wfile.write(part)

    def log_message(self, format: str, *args: Any) -> None:
        pass


class WithoutHead(Slow):
    """Knows files, but refuses to give their headers alone."""

    def do_HEAD(self) -> None:
        self.send_error(405)

    def do_GET(self) -> None:
        super().do_HEAD()
        self.wfile.write(CONTENT)


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=httpd.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{httpd.server_address[1]}/{NAME}"
    httpd.shutdown()
    httpd.server_close()
    thread.join()


@pytest.mark.parametrize("handler", [Slow, WithoutHead])
def test_a_server_that_answers_may_take_its_time(handler: type[BaseHTTPRequestHandler]) -> None:
    with serving(handler) as url:
        path = download.downloaded(url, "wait")
    assert path.read_bytes() == CONTENT


def test_one_that_does_not_answer_is_not_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/{NAME}"
        begin = time.monotonic()
        with pytest.raises(InputError, match=rf"could not download {NAME} .* or ask a friend$"):
            download.downloaded(url, "ask a friend")
        assert time.monotonic() - begin < 5


def test_a_name_that_nobody_knows_in_time_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where no name server answers, looking a name up has no limit that could be set."""
    done = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: done.wait(60) and [])
    begin = time.monotonic()
    with pytest.raises(InputError, match=r"no answer within 0\.3 s"):
        download.downloaded(f"http://weights.invalid/{NAME}", "wait")
    assert time.monotonic() - begin < 5
    done.set()
