"""The log as a person reads it in a terminal: sentences, without a clock or a module's name."""

from __future__ import annotations

import logging


class Sentences(logging.Formatter):
    """What is said as it is; before warnings and errors the word.

    >>> record = logging.LogRecord("nst", logging.WARNING, "", 0, "no %s", ("disk",), None)
    >>> Sentences().format(record)
    'warning: no disk'
    """

    def format(self, record: logging.LogRecord) -> str:
        """As :class:`logging.Formatter` does, a traceback below the line."""
        line = super().format(record)
        if record.levelno < logging.WARNING:
            return line
        return f"{record.levelname.lower()}: {line}"
