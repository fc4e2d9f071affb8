"""A run's log in W&B. It mirrors what the run's folder holds and is never read back.

Where W&B fails, its own log ends there and the run goes on, with one warning.
"""

from nst.runs.recording.tracking.sink import NoSink, Sink, WandbSink, wandb_sink
from nst.runs.recording.tracking.wandb_run import Mode, Once, open_run

__all__ = ["Mode", "NoSink", "Once", "Sink", "WandbSink", "open_run", "wandb_sink"]
