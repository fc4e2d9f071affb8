"""Studies, each a module, and their figures."""

from nst.runs.machine.threads import sleep_while_waiting

sleep_while_waiting()  # before any of the modules here imports torch
