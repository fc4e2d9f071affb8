"""Whether W&B's server can be used: it answers in time, and takes the key that is there.

W&B itself tries for 90 seconds, in every run anew, and may ask for a key. What is found out here is
remembered, so that the other runs of the process lose no time.
"""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

START_SECONDS = 4.0
"""How long the server may take to answer before a run; a slow connection takes about one."""
END_SECONDS = 2.0
"""The same at the end of a run, when it has answered before."""

_QUESTION = json.dumps({"query": "query Viewer { viewer { id } }", "variables": {}}).encode()
_RELOGIN = "(log in anew with: wandb login --relogin)"

_given_up: dict[Server, str] = {}


@dataclass(frozen=True)
class Server:
    """W&B's server, as this process would use it.

    Attributes:
        url: without a slash at its end
        key: None without one, or where W&B has an identity token instead
        headers: further ones that W&B is told to send
        proxies: {scheme: address} of W&B's settings; without, those of the environment
    """

    url: str
    key: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict, compare=False)
    proxies: Mapping[str, str] = field(default_factory=dict, compare=False)

    @property
    def given_up(self) -> str | None:
        """Why the server is to be used no more in this process, or None."""
        return _given_up.get(self)

    def give_up(self, reason: str) -> bool:
        """Use the server no more in this process; returns whether this is new."""
        new = self not in _given_up
        _given_up.setdefault(self, reason)
        return new

    def obstacle(self, seconds: float) -> str | None:
        """Why the server cannot be used; None where it can.

        Args:
            seconds: after which no answer is one, also where its name is still looked up
        """
        answers: list[str | None] = []
        asking = threading.Thread(  # a daemon: the process does not wait for it either
            target=lambda: answers.append(self._ask(seconds)), name="ask-wandb", daemon=True
        )
        asking.start()
        asking.join(seconds)
        return answers[0] if answers else f"no answer from {self.url} within {seconds:g} s"

    def _ask(self, seconds: float) -> str | None:
        own = [urllib.request.ProxyHandler(dict(self.proxies))] if self.proxies else []
        opener = urllib.request.build_opener(*own)
        try:
            with opener.open(self._question(), timeout=seconds) as response:
                return self._objection(json.load(response))
        except urllib.error.HTTPError as error:
            return self._refusal(error.code, f"{error.code} {error.reason}".strip())
        except (OSError, http.client.HTTPException) as error:
            reason = error.reason if isinstance(error, urllib.error.URLError) else error
            if isinstance(reason, ssl.SSLError):
                return None  # somebody is there, and W&B may know the certificate
            return f"no answer from {self.url}: {one_line(reason)}"
        except ValueError:
            return self._stranger()

    def _question(self) -> urllib.request.Request:
        headers = {"Content-Type": "application/json", **self.headers}
        if self.key is not None:
            user = base64.b64encode(f"api:{self.key}".encode()).decode()
            headers["Authorization"] = f"Basic {user}"
        return urllib.request.Request(f"{self.url}/graphql", _QUESTION, headers)

    def _objection(self, answer: Any) -> str | None:
        if not isinstance(answer, dict):
            return self._stranger()
        data = answer.get("data")
        known = not isinstance(data, dict) or data.get("viewer", True)
        return None if known or self.key is None else f"{self.url} refuses the key {_RELOGIN}"

    def _refusal(self, code: int, status: str) -> str | None:
        if code in (401, 403):
            refuses = f"{self.url} refuses the key, {status} {_RELOGIN}"
            return refuses if self.key is not None else None
        return f"{self.url} answers {status}" if code in (404, 407) or code >= 500 else None

    def _stranger(self) -> str:
        return f"what answers at {self.url} is not W&B"


def find_server() -> tuple[Server, str | None]:
    """The server that W&B is set up to use, and why it cannot be used; nobody is asked for a key.

    Raises:
        Exception: whatever W&B raises.
    """
    import wandb

    problem = _log_in()
    settings = wandb.setup().settings
    proxies = {"http": settings.http_proxy, "https": settings.https_proxy}
    server = Server(
        settings.base_url.rstrip("/"),
        settings.api_key,
        dict(settings.x_extra_http_headers or {}),
        {scheme: proxy for scheme, proxy in proxies.items() if proxy},
    )
    return server, server.given_up or problem or server.obstacle(START_SECONDS)


def _log_in() -> str | None:
    """Why there is no key where W&B looks for one, or None."""
    import wandb

    if wandb.run is not None:
        return None  # the caller has a run of their own
    try:
        has_key = wandb.login(prompt=False, verify=False)
    except wandb.Error as error:  # a key of the wrong form, or two
        return one_line(error)
    return None if has_key else "there is no key (log in with: wandb login)"


def one_line(error: object) -> str:
    """What an error says, in one line; its type where it says nothing."""
    return " ".join(str(error).split()) or type(error).__name__
