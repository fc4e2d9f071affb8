"""A W&B run from its start to its end, whatever becomes of W&B's server, key or disk."""

from __future__ import annotations

import logging
import os
import secrets
import shlex
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from nst.config import WandbMode
from nst.errors import Interruption
from nst.runs.context import relative
from nst.runs.recording.tracking.server import END_SECONDS, Server, find_server, one_line

Mode = WandbMode | Literal["offline", "online", "disabled"]

BEGIN_SECONDS = 9.0
"""How long asking W&B's server and opening a run there may take; WANDB_INIT_TIMEOUT replaces what
is left of it when the server has answered."""
FINISH_SECONDS = 5.0
"""How long the end of a run may wait for uploads; WANDB_FINISH_TIMEOUT replaces it."""
INTERRUPTED_SECONDS = 3.0
"""The same of a run that is interrupted."""
OFFLINE_SECONDS = 10.0
"""How long the end of a run may wait for the disk."""
_GRACE_SECONDS = 1.0  # within which W&B says that its time is over
_GIVEN_UP_SECONDS = 0.2  # the end of a run is sent on its way and goes on beside what follows

_BLOCK = 4096  # bytes, for which a disk that is not full has room

log = logging.getLogger(__name__)


class Once:
    """Warns, but only the first time: what fails once at W&B fails again and again."""

    def __init__(self) -> None:
        self._warned = False

    def __call__(self, message: str, *values: object) -> None:
        """Log a warning, unless there was one."""
        if not self._warned:
            log.warning(message, *values)
        self._warned = True


@contextmanager
def open_run(
    folder: Path,
    mode: Mode,
    options: Mapping[str, Any],
    *,
    warn: Once | None = None,
    finish_seconds: float = FINISH_SECONDS,
) -> Iterator[Any]:
    """A W&B run, or None where there is none; finished when the block ends.

    Its exit code says how: 0, that of an :class:`nst.errors.Interruption`, or 1.

    Args:
        folder: W&B writes into ``folder/wandb``, or into ``wandb`` below ``WANDB_DIR``
        mode: ``offline``, ``online`` or ``disabled``; online falls back to offline where W&B's
            server cannot be used
        options: of ``wandb.init``
        warn: of what goes wrong
        finish_seconds: how long the end may wait for uploads
    """
    warn = warn or Once()
    opened = None if mode == "disabled" else _start(folder, mode, options, warn, finish_seconds)
    if opened is None:
        yield None
        return
    exit_code, interrupted = 1, False
    try:
        yield opened.run
        exit_code = 0
    except KeyboardInterrupt as error:
        interruption = error if isinstance(error, Interruption) else Interruption()
        exit_code, interrupted = interruption.exit_status, True
        raise
    finally:  # always: nothing else ends a run that has no process of its own
        opened.finish(exit_code, interrupted)


class _OpenRun:
    """A W&B run that was started, and where it goes."""

    def __init__(self, run: Any, server: Server | None, warn: Once):
        """
        Args:
            run: of W&B
            server: where it is uploaded to; None offline
            warn: of what goes wrong
        """
        self.run, self._server, self._warn = run, server, warn
        for handler in logging.getLogger("wandb").handlers:  # W&B's debug.log, on a disk that fills
            handler.handleError = _say_nothing  # type: ignore[method-assign]

    def finish(self, exit_code: int, interrupted: bool) -> None:
        """End the run. Nothing is raised, and a server that is gone costs seconds."""
        if self._server and not self._server.given_up and not interrupted:
            gone = self._server.obstacle(END_SECONDS)
            if gone is not None:
                self._give_up(gone)
        seconds = self._patience(interrupted)
        error = _in_time(lambda: self.run.finish(exit_code=exit_code), seconds)
        if isinstance(error, TimeoutError) and self._server:
            more = "" if interrupted else " (WANDB_FINISH_TIMEOUT=60 allows a minute)"
            self._give_up(f"uploading takes too long{more}")
        elif error is not None:
            self._warn("W&B could not finish its run: %s", one_line(error))
        else:
            self._check_room()

    def _patience(self, interrupted: bool) -> float:
        if self._server and self._server.given_up:
            return _GIVEN_UP_SECONDS
        if interrupted:
            return INTERRUPTED_SECONDS
        upload = self.run.settings.finish_timeout  # 0: as long as it takes
        online = upload + _GRACE_SECONDS if upload else threading.TIMEOUT_MAX
        return online if self._server else OFFLINE_SECONDS

    def _give_up(self, reason: str) -> None:
        if self._server and self._server.give_up(reason):
            self._warn("W&B: %s. %s", reason, _how_to_upload(self.run))

    def _check_room(self) -> None:
        """W&B says nothing where its disk was full."""
        folder = Path(self.run.dir).parent
        try:
            _require_room(folder)
        except OSError as error:
            self._warn("W&B's log of this run is cut short: %s", one_line(error))


def _start(
    folder: Path, mode: Mode, options: Mapping[str, Any], warn: Once, finish_seconds: float
) -> _OpenRun | None:
    """Start a run, online if that is asked for and works; None, and a warning, where not."""
    where = Path(os.environ.get("WANDB_DIR") or folder)
    # reports of W&B's use go to its server even offline, and the end of the program waits for them
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
    try:
        _require_room(where / "wandb")
        import wandb

        wandb.setup(_session(mode))
        every = {**options, "dir": str(where)}
        if mode == "offline":
            return _OpenRun(_init("offline", every), None, warn)
        return _start_online(every, warn, finish_seconds)
    except Exception as error:  # whatever W&B raises, the run goes on
        warn("W&B failed (%s); this run is not logged there", one_line(error))
        return None


def _start_online(options: Mapping[str, Any], warn: Once, finish_seconds: float) -> _OpenRun:
    """Start a run online, or offline and with a warning, the first time, why it is."""
    latest = time.monotonic() + BEGIN_SECONDS
    server, obstacle = find_server()
    if obstacle is None:
        limits = _unless_set(
            {
                "WANDB_INIT_TIMEOUT": ("init_timeout", max(1.0, latest - time.monotonic())),
                "WANDB_FINISH_TIMEOUT": ("finish_timeout", finish_seconds),
            }
        )
        try:
            return _OpenRun(_init("online", options, **limits), server, warn)
        except Exception as error:  # of many kinds, none of them documented
            obstacle, _, _ = one_line(error).partition(" Consider increasing")
    is_news = server.give_up(obstacle)
    run = _init("offline", {**options, "id": None})  # the id is taken, where online was tried
    if is_news:
        warn("W&B is offline: %s. %s", obstacle.rstrip("."), _how_to_upload(run))
    return _OpenRun(run, None, warn)


def _init(mode: str, options: Mapping[str, Any], **settings: Any) -> Any:
    """Call ``wandb.init``; a run that does not start leaves no folder, which would be uploaded."""
    import wandb

    own = options.get("id") or secrets.token_hex(5)
    try:
        return wandb.init(
            **{**options, "id": own, "mode": mode, "settings": _settings(**settings)},
            reinit="create_new",
        )
    except Exception:
        if not options.get("id"):  # nobody else's run has it
            for folder in Path(options["dir"]).glob(f"wandb/*run-*-{own}"):
                shutil.rmtree(folder, ignore_errors=True)
        raise


def _how_to_upload(run: Any) -> str:
    folder = Path(run.dir).resolve().parent
    online = "--include-online " if folder.name.startswith("run-") else ""  # else it skips them
    command = f"wandb sync {online}{shlex.quote(str(relative(folder)))}"
    return f"To upload this run, and others alike: {command}"


def _session(mode: Mode) -> Any:
    """Settings of W&B for the whole process: no word of its own, and the mode for its login."""
    import wandb

    values = _unless_set({"WANDB_SILENT": ("silent", True)})
    return wandb.Settings(**values | ({"mode": "online"} if mode == "online" else {}))


def _settings(**more: Any) -> Any:
    """Settings of one run."""
    import wandb

    return wandb.Settings(
        **_unless_set({"WANDB_SILENT": ("silent", True)}),
        **more,
        finish_timeout_raises=True,
        console="off",
        x_disable_stats=True,
        x_save_requirements=False,
        disable_git=True,
    )


def _unless_set(settings: Mapping[str, tuple[str, Any]]) -> dict[str, Any]:
    """{variable: (setting, value)} → {setting: value} of the variables that are not set."""
    return dict(each for variable, each in settings.items() if variable not in os.environ)


def _say_nothing(record: logging.LogRecord) -> None:
    """Python would print a traceback for each line that cannot be written."""


def _require_room(folder: Path) -> None:
    """
    Raises:
        OSError: nothing can be written into the folder; its message names it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(_BLOCK))
    except OSError as error:
        raise OSError(f"{relative(folder)}: {error.strerror or error}") from error


def _in_time(call: Callable[[], object], seconds: float) -> Exception | None:
    """What a call raised; a TimeoutError where it does not end in time, and then it goes on."""
    ended: list[Exception | None] = []

    def run() -> None:
        try:
            call()
            ended.append(None)
        except Exception as error:
            ended.append(error)

    thread = threading.Thread(target=run, name="finish-wandb", daemon=True)
    thread.start()
    thread.join(seconds)
    return ended[0] if ended else TimeoutError(f"not within {seconds:g} s")
