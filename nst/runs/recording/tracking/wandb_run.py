"""A W&B run from its start to its end, whatever becomes of W&B's server, key or disk."""

from __future__ import annotations

import logging
import os
import secrets
import shlex
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from nst.config import WandbMode
from nst.errors import Interruption
from nst.runs.context import relative
from nst.runs.recording.tracking.server import END_SECONDS, Server, find_server, one_line

Mode = WandbMode | Literal["offline", "online", "disabled"]

INIT_SECONDS = 5.0
"""How long W&B may take to open a run at a server that answers; WANDB_INIT_TIMEOUT replaces it."""
FINISH_SECONDS = 5.0
"""How long the end of a run may wait for uploads; WANDB_FINISH_TIMEOUT replaces it."""
INTERRUPTED_SECONDS = 3.0
"""The same of a run that is interrupted."""
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
        exit_code, interrupted = exit_status(error), True
        raise
    finally:  # always: nothing else ends a run that has no process of its own
        opened.finish(exit_code, interrupted)


def exit_status(error: BaseException | None) -> int:
    """The exit code of a run that an exception ended; 0 for none."""
    if error is None:
        return 0
    interruption = error if isinstance(error, Interruption) else Interruption()
    return interruption.exit_status if isinstance(error, KeyboardInterrupt) else 1


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

    def finish(self, exit_code: int, interrupted: bool) -> None:
        """End the run. Nothing is raised, and a server that is gone costs seconds."""
        if self._server and not self._server.given_up and not interrupted:
            gone = self._server.obstacle(END_SECONDS)
            if gone is not None:
                self._give_up(gone)
        seconds = self._patience(interrupted)
        error = _in_time(lambda: self.run.finish(exit_code=exit_code), seconds)
        if isinstance(error, TimeoutError):
            self._give_up("uploading takes too long (WANDB_FINISH_TIMEOUT=60 allows a minute)")
        elif error is not None:
            self._warn("W&B could not finish its run: %s", one_line(error))
        else:
            self._check_room()

    def _patience(self, interrupted: bool) -> float:
        if self._server and self._server.given_up:
            return _GIVEN_UP_SECONDS
        own = float(self.run.settings.finish_timeout) + _GRACE_SECONDS
        return min(INTERRUPTED_SECONDS, own) if interrupted else own

    def _give_up(self, reason: str) -> None:
        if self._server is None or self._server.give_up(reason):
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
        every = {"dir": str(where), "settings": _settings(finish_seconds), **options}
        if mode == "offline":
            return _OpenRun(_init("offline", every), None, warn)
        return _start_online(every, warn)
    except Exception as error:  # whatever W&B raises, the run goes on
        warn("W&B failed (%s); this run is not logged there", one_line(error))
        return None


def _start_online(options: Mapping[str, Any], warn: Once) -> _OpenRun:
    """Start a run online, or offline and with a warning, the first time, why it is."""
    server, obstacle = find_server()
    if obstacle is None:
        try:
            return _OpenRun(_init("online", options), server, warn)
        except Exception as error:  # of many kinds, none of them documented
            obstacle, _, _ = one_line(error).partition(" Consider increasing")
    is_news = server.give_up(obstacle)
    run = _init("offline", {**options, "id": None})  # the id is taken, where online was tried
    if is_news:
        warn("W&B is offline: %s. %s", obstacle.rstrip("."), _how_to_upload(run))
    return _OpenRun(run, None, warn)


def _init(mode: str, options: Mapping[str, Any]) -> Any:
    """Call ``wandb.init``; a run that does not start leaves no folder, which would be uploaded."""
    import wandb

    own = {"id": options.get("id") or secrets.token_hex(5), "mode": mode}
    try:
        return wandb.init(**{**options, **own}, reinit="create_new")
    except Exception:
        if not options.get("id"):  # nobody else's run has it
            for folder in Path(options["dir"]).glob(f"wandb/*run-*-{own['id']}"):
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


def _settings(finish_seconds: float) -> Any:
    """Settings of one run, as far as the environment does not have them."""
    import wandb

    values = _unless_set(
        {
            "WANDB_SILENT": ("silent", True),
            "WANDB_INIT_TIMEOUT": ("init_timeout", INIT_SECONDS),
            "WANDB_FINISH_TIMEOUT": ("finish_timeout", finish_seconds),
        }
    )
    return wandb.Settings(
        **values,
        finish_timeout_raises=True,
        console="off",
        x_disable_stats=True,
        x_save_requirements=False,
        disable_git=True,
    )


def _unless_set(settings: Mapping[str, tuple[str, Any]]) -> dict[str, Any]:
    """{variable: (setting, value)} → {setting: value} of the variables that are not set."""
    return dict(each for variable, each in settings.items() if variable not in os.environ)


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
