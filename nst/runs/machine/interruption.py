"""Signals that ask the program to end, heard where it can end well.

Ctrl-C is not the only one: a scheduler, ``timeout``, a container that stops and a closed terminal
send others. Between two steps of a run its picture and its state belong together; so a signal that
comes within a step waits for the end of the step, unless steps take long. A second signal ends the
program at once.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from nst.errors import Interruption

PATIENCE = 3.0
"""Seconds: a step that takes longer is not waited for."""

_ECHO = 1.0  # a terminal and a wrapper around the program send the same signal twice
_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")


class _Listener:
    """What has been heard, and whether to speak up at once."""

    def __init__(self) -> None:
        self.heard: int | None = None
        self.waits = False
        self.when = 0.0
        self.step: Steps | None = None

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """The handler of the signals."""
        if self.heard is not None:
            if time.monotonic() - self.when > _ECHO:
                signal.signal(number, signal.SIG_DFL)
                os.kill(os.getpid(), number)
            return
        self.heard, self.when = number, time.monotonic()
        self.waits = True  # also where it is raised now: a finalizer would swallow it
        if self.step is None or not self.step.is_short():
            raise Interruption(number)

    def speak_up(self) -> None:
        """Raise what waits."""
        if self.waits and self.heard is not None:
            self.waits = False
            raise Interruption(self.heard)


_listener = _Listener()


@contextmanager
def listening() -> Iterator[None]:
    """Within the block, SIGINT, SIGTERM and SIGHUP raise :class:`nst.errors.Interruption`.

    Signals that whoever started the program has it ignore stay ignored, as ``nohup`` wants it.
    Does nothing outside of the main thread, which alone hears signals, and within such a block.
    """
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGTERM) is _listener:
        yield
        return
    before: dict[int, Any] = {}
    for number in (getattr(signal, name) for name in _NAMES if hasattr(signal, name)):
        if signal.getsignal(number) is not signal.SIG_IGN:
            before[number] = signal.signal(number, _listener)
    _listener.heard, _listener.waits = None, False
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Steps:
    """The steps of a run, as a signal sees them."""

    def __init__(self) -> None:
        self._began: float | None = None
        self._last: float | None = None

    def is_short(self) -> bool:
        """Whether the current step will soon be over; unknown before the first has been made."""
        return self._last is not None and self._last <= PATIENCE

    def made(self) -> None:
        """A step has been made and written down.

        Raises:
            Interruption: a signal came within the step.
        """
        now = time.monotonic()
        self._last = None if self._began is None else now - self._began
        self._began = now
        _listener.speak_up()


@contextmanager
def steps() -> Iterator[Steps]:
    """Within the block, a signal waits for :meth:`Steps.made`, or for the end of the block."""
    _listener.step = Steps()
    try:
        yield _listener.step
    finally:
        _listener.step = None
    _listener.speak_up()
