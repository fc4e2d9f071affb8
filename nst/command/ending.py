"""How the program ends: one line on the error stream, and a status that a script can tell.

======  ==========================================================================
0       everything was done
1       something failed: a job of a sweep, its report, the disk, or the program
2       wrong input, and nothing was begun that it concerns
128+n   signal n asked for it: 130 for Ctrl-C, 143 for ``kill`` and schedulers
======  ==========================================================================
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import shlex
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from nst.command.configs import one_line
from nst.command.line.names import quoted
from nst.errors import InputError, Interruption

FAILED, WRONG_INPUT = 1, 2

_FULL_ERROR = "HYDRA_FULL_ERROR"
_OF_THE_DISK = (
    *(errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.EFBIG),
    *(errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.EMFILE),
)

_wants_tracebacks = False


class JobFailedError(Exception):
    """A job of a sweep failed, and has said why; the others go on."""


def of_the_disk(error: BaseException) -> str | None:
    """What to say where a disk is full or cannot be written to; None for another error."""
    if not isinstance(error, OSError) or error.errno not in _OF_THE_DISK:
        return None
    where = f"{error.filename}: " if error.filename else ""
    remedy = "name another place by hydra.run.dir, hydra.sweep.dir or output"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        remedy = f"free some space, or {remedy}"
    return f"{where}{os.strerror(error.errno)}; {remedy}"


@contextmanager
def ending() -> Iterator[None]:
    """Whatever ends the block ends the program, in one line and with its status.

    Hydra would print errors its own way, unless it is told to hand them on. What is no user's
    fault keeps its traceback, and so does everything where ``HYDRA_FULL_ERROR=1`` asks for it.
    """
    global _wants_tracebacks
    _wants_tracebacks = os.environ.get(_FULL_ERROR) == "1"
    os.environ[_FULL_ERROR] = "1"
    logging.raiseExceptions = False  # a full disk is said once, not for each line of the log
    try:
        yield
    except JobFailedError:
        sys.exit(FAILED)
    except KeyboardInterrupt as error:
        sys.exit(status_of(error))
    except Exception as error:
        sys.exit(said(error))


def status_of(error: KeyboardInterrupt) -> int:
    """128 and the signal's number."""
    return (error if isinstance(error, Interruption) else Interruption()).exit_status


def said(error: Exception) -> int:
    """Print what ended the program; its status."""
    if _wants_tracebacks:
        traceback.print_exception(error)
        return WRONG_INPUT if isinstance(error, InputError) else FAILED
    if isinstance(error, InputError):
        return fail(str(error))
    if isinstance(error, HydraException | OmegaConfBaseException):
        return fail(one_line(error))
    disk = of_the_disk(error)
    if disk is not None:
        return fail(disk, FAILED)
    traceback.print_exception(error)
    return FAILED


def fail(text: str, status: int = WRONG_INPUT) -> int:
    """Print an error on one line; the status to end with."""
    tell(f"error: {' '.join(text.split())}")
    return status


def tell(line: str) -> None:
    """Print a line on the error stream, if there is still a terminal behind it."""
    with contextlib.suppress(OSError):
        print(line, file=sys.stderr, flush=True)


def again(arguments: Sequence[str], folder: Path, sweep: bool) -> str:
    """The command that goes on in a folder.

    Args:
        arguments: of the command line that began, as they were given, but for ``repeat=FILE``:
            what it stood for, as FILE may mean another run by now
        folder: of the run or of the sweep
        sweep: which of the two

    >>> again(["-m", "seed=0,1", "content=my cat.jpg"], Path("outputs/a"), True)
    "nst -m seed=0,1 'content=my cat.jpg' hydra.sweep.dir=outputs/a resume=true"
    """
    place = "hydra.sweep.dir" if sweep else "hydra.run.dir"
    kept = [a for a in arguments if a.partition("=")[0] not in (place, "resume")]
    # Hydra would take a comma for the border between two values
    where = quoted(str(folder)) if "," in str(folder) else str(folder)
    return shlex.join([*_program(), *kept, f"{place}={where}", "resume=true"])


def _program() -> list[str]:
    """How the program was called."""
    name = Path(sys.argv[0])
    if name.name == "__main__.py" and name.parent.name == "nst":
        return ["python", "-m", "nst"]
    return ["python", str(name)] if name.suffix == ".py" and name.name == "run.py" else ["nst"]
