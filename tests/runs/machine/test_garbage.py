"""Python's search for garbage is off where it finds none, and on again in the steps."""

from __future__ import annotations

import subprocess
import sys


def output_of(code: str) -> list[str]:
    """What a program of its own prints."""
    command = [sys.executable, "-c", code]
    process = subprocess.run(command, capture_output=True, text=True, check=True)
    return process.stdout.splitlines()


def test_nothing_is_looked_for_while_torch_is_loaded() -> None:
    code = """
import gc, sys
from nst.runs.machine.garbage import load_torch
gc.callbacks.append(lambda phase, info: print("looked at", "torch" in sys.modules))
load_torch()
gc.callbacks.clear()
print(gc.isenabled(), gc.get_freeze_count() > 100_000)
"""
    assert output_of(code) == ["True True"]


def test_what_comes_later_is_not_kept_for_ever() -> None:
    """A sweep calls it for every job, and the pictures of the jobs before have to go."""
    code = """
import gc
from nst.runs.machine.garbage import load_torch
load_torch()
before = gc.get_freeze_count()
circle = []
circle.append(circle)
load_torch()
print(gc.get_freeze_count() <= before)
"""
    assert output_of(code) == ["True"]


def test_the_program_ends_without_a_last_search() -> None:
    """Whoever wants to hear of its end is told before; what is told last is told after."""
    code = """
import atexit, gc
from nst.runs.machine.garbage import leave_the_last
atexit.register(lambda: print("after:", gc.get_freeze_count() > 1000))
leave_the_last()
atexit.register(lambda: print("before:", gc.get_freeze_count()))
"""
    assert output_of(code) == ["before: 0", "after: True"]
