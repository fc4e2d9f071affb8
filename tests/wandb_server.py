"""A W&B server on the loopback interface: enough of it for runs, uploads, tables and workspaces.

It answers the GraphQL operations that the client sends by name, takes the history of a run
(``file_stream``) and its files (signed addresses of its own), and remembers everything, so that a
test can say what arrived. An operation that it does not know is an error of the client's, and is
listed in :attr:`WandbServer.unknown`.

It fails as servers do: with a status for every request (:attr:`WandbServer.status`), with requests
that get no answer (:attr:`WandbServer.silent`), or at once in the middle (:meth:`WandbServer.die`).
"""

from __future__ import annotations

import gzip
import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

Variables = dict[str, Any]
KEY = "0" * 40
"""A key of the right length; whoever has it is logged in."""


@dataclass
class ServedRun:
    """What the server knows of one run.

    Attributes:
        attributes: group, job type, tags and names, as the last ``UpsertBucket`` gave them
        config: values without W&B's envelope
        history: one dictionary per logged step
        files: {path: bytes}
        exit_code: None until the client says that the run is over
    """

    attributes: dict[str, Any] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    exit_code: int | None = None

    def last(self, key: str) -> Any:
        """The newest value of a metric in the history."""
        return [row[key] for row in self.history if key in row][-1]


class WandbServer:
    """The server and what it was sent.

    Attributes:
        status: of HTTP, of every answer; 200: as it should be
        silent: what a request has in its address or its body that gets no answer; ``/``: all
        asked: how many requests there were
    """

    def __init__(self) -> None:
        self.status, self.asked = 200, 0
        self.silent: tuple[str, ...] = ()
        self.over = threading.Event()
        self.runs: dict[str, ServedRun] = {}
        self.views: list[dict[str, Any]] = []
        self.artifacts: list[dict[str, Any]] = []
        self.artifact_files: dict[str, bytes] = {}
        self.unknown: list[str] = []
        self._lock = threading.Lock()
        handler = type("Handler", (_Handler,), {"state": self})
        self._http = _QuietServer(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        """Base address, with the port that the system chose."""
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def __enter__(self) -> WandbServer:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.die()
        self._thread.join()

    def die(self) -> None:
        """Answer nobody any more, also not who waits for an answer."""
        self.over.set()
        self._http.shutdown()
        self._http.server_close()

    def run(self) -> ServedRun:
        """The only run there is."""
        (run,) = self.runs.values()
        return run

    # --- what arrives ----------------------------------------------------------------------------

    def graphql(self, query: str, variables: Variables) -> dict[str, Any]:
        """Answer one operation by its name."""
        operation = re.search(r"(?:query|mutation)\s+(\w+)", query)
        name = operation[1] if operation else query[:60]
        answer: Callable[[Variables], Any] | None = getattr(self, f"_on_{name}", None)
        with self._lock:
            if answer is None:
                self.unknown.append(name)
                return {"data": None, "errors": [{"message": f"unknown operation {name}"}]}
            return {"data": answer(variables)}

    def file_stream(self, run: str, body: dict[str, Any]) -> dict[str, Any]:
        """History, summary and the end of a run."""
        with self._lock:
            served = self.runs.setdefault(run, ServedRun())
            for name, part in (body.get("files") or {}).items():
                lines = [json.loads(line) for line in part.get("content", [])]
                if name == "wandb-history.jsonl":
                    served.history += lines
                elif name == "wandb-summary.json":
                    served.summary |= lines[-1] if lines else {}
            if body.get("complete"):
                served.exit_code = body.get("exitcode")
        return {"limits": {}}

    def store(self, path: str, content: bytes) -> None:
        """A file of a run (``RUN/PATH``) or of an artifact (``artifacts/ID/PATH``)."""
        owner, _, name = path.partition("/")
        with self._lock:
            if owner == "artifacts":
                self.artifact_files[name] = content
            else:
                self.runs.setdefault(owner, ServedRun()).files[name] = content

    # --- GraphQL ---------------------------------------------------------------------------------

    def _on_Viewer(self, v: Variables) -> Any:  # noqa: N802
        return {"viewer": {"id": "U", "entity": "me", "username": "me", "flags": "{}"}}

    def _on_GetDefaultEntity(self, v: Variables) -> Any:  # noqa: N802
        return self._on_Viewer(v)

    def _on_ServerFeaturesQuery(self, v: Variables) -> Any:  # noqa: N802
        return {"serverInfo": {"features": []}}

    def _on_UpsertBucket(self, v: Variables) -> Any:  # noqa: N802
        run = self.runs.setdefault(v["name"], ServedRun())
        run.attributes |= {key: value for key, value in v.items() if value is not None}
        config = json.loads(v.get("config") or "{}")
        run.config |= {key: value["value"] for key, value in config.items()}
        entity = {"id": "E", "name": v.get("entity") or "me"}
        bucket = {
            **{"id": f"B-{v['name']}", "name": v["name"], "displayName": v.get("displayName")},
            **{"description": "", "config": "{}", "sweepName": None, "historyLineCount": 0},
            "project": {"id": "P", "name": v.get("project"), "entity": entity},
        }
        return {"upsertBucket": {"bucket": bucket, "inserted": True}}

    def _on_RunResumeStatus(self, v: Variables) -> Any:  # noqa: N802
        return {"model": {"id": "P", "name": "p", "entity": {"id": "E"}, "bucket": None}}

    def _on_CreateRunFiles(self, v: Variables) -> Any:  # noqa: N802
        files = [self._upload(f"{v['run']}/{name}") | {"name": name} for name in v["files"]]
        return {"createRunFiles": {"runID": v["run"], "uploadHeaders": [], "files": files}}

    def _on_CreateArtifact(self, v: Variables) -> Any:  # noqa: N802
        self.artifacts.append(v["input"])
        identity = {"id": f"A{len(self.artifacts)}", "state": "PENDING"}
        return {"createArtifact": {"artifact": {**identity, "artifactSequence": {}}}}

    def _on_CreateArtifactManifest(self, v: Variables) -> Any:  # noqa: N802
        file = self._upload(f"artifacts/{v['artifactID']}/{v['name']}")
        return {"createArtifactManifest": {"artifactManifest": {"id": "M", "file": file}}}

    def _on_UpdateArtifactManifest(self, v: Variables) -> Any:  # noqa: N802
        file = self._upload("artifacts/manifest.json")
        return {"updateArtifactManifest": {"artifactManifest": {"id": "M", "file": file}}}

    def _on_CreateArtifactFiles(self, v: Variables) -> Any:  # noqa: N802
        nodes = []
        for file in v["input"]["artifactFiles"]:
            where = self._upload(f"artifacts/{file['artifactID']}/{file['name']}")
            artifact = {"id": file["artifactID"]}
            nodes.append({**where, "storagePath": file["name"], "artifact": artifact})
        return {"createArtifactFiles": {"files": {"edges": [{"node": node} for node in nodes]}}}

    def _on_CommitArtifact(self, v: Variables) -> Any:  # noqa: N802
        return {"commitArtifact": {"artifact": {"id": v["artifactID"], "digest": "d"}}}

    def _on_ClientIDMapping(self, v: Variables) -> Any:  # noqa: N802
        return {"clientIDMapping": {"serverID": "A1"}}

    def _on_ArtifactType(self, v: Variables) -> Any:  # noqa: N802
        return {"project": {"artifact": None}}  # there is none of that name yet

    def _on_UseArtifact(self, v: Variables) -> Any:  # noqa: N802
        return {"useArtifact": {"artifact": {"id": v["input"]["artifactID"]}}}

    def _upload(self, path: str) -> dict[str, Any]:
        url = f"{self.url}/storage/{path}"
        return {"id": path, "name": path, "uploadUrl": url, "uploadHeaders": []}

    def _on_OrganizationCoreWeaveOrganizationID(self, v: Variables) -> Any:  # noqa: N802
        return {"entity": None}

    def _on_UpsertView2(self, v: Variables) -> Any:  # noqa: N802
        self.views.append({**v, "spec": json.loads(v["spec"])})
        return {"upsertView": {"view": {"id": "V", "name": v["name"]}, "inserted": True}}


class _QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: a client that hangs up is no error."""


class _Handler(BaseHTTPRequestHandler):
    """HTTP in front of a :class:`WandbServer`."""

    state: WandbServer
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        """Silence."""

    def do_GET(self) -> None:
        self._answer({})

    def do_PUT(self) -> None:
        body = self._body()
        if self._works(body):
            path = unquote(self.path.partition("?")[0])
            self.state.store(path.removeprefix("/storage/"), body)
            self._answer({})

    def do_POST(self) -> None:
        body = self._body()
        if not self._works(body):
            return
        if "graphql" in self.path:
            request = json.loads(body)
            self._answer(self.state.graphql(request["query"], request.get("variables") or {}))
        elif "file_stream" in self.path:
            run = self.path.split("/")[-2]
            self._answer(self.state.file_stream(run, json.loads(body)))
        else:
            self._answer({})

    def _works(self, body: bytes) -> bool:
        """Whether this request is to be served; what else becomes of it is done here."""
        self.state.asked += 1
        if any(part in self.path or part.encode() in body for part in self.state.silent):
            self.state.over.wait()
        if self.state.over.is_set():
            self.close_connection = True
            return False
        if self.state.status != 200:
            self._answer({})
        return self.state.status == 200

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b"".join(iter(self._chunk, b""))
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        return gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body

    def _chunk(self) -> bytes:
        chunk = self.rfile.read(int(self.rfile.readline(), 16))
        self.rfile.readline()
        return chunk

    def _answer(self, content: dict[str, Any]) -> None:
        body = json.dumps(content).encode()
        self.send_response(self.state.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
