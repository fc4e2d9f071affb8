"""When Python looks for garbage: not while torch is loaded, and not when the program ends.

Both times nearly every object stays, or goes with the process anyway, and looking at each of
several hundred thousand takes a third as long as loading torch does.
"""

from __future__ import annotations

import atexit
import gc
from functools import cache


@cache
def load_torch() -> None:
    """Load torch without looking for garbage, and never look at what it has made again."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        import torch  # noqa: F401 (loading it is the point)

        gc.freeze()
    finally:
        if was_enabled:
            gc.enable()


def leave_the_last() -> None:
    """Have the process end without a search through all that it has loaded."""
    atexit.register(gc.freeze)
