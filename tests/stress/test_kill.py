from __future__ import annotations

import pytest

from tests.stress.kill import run


@pytest.mark.slow
def test_sweeps_survive_signals_at_random_moments() -> None:
    """The short form; ``python -m tests.stress.kill`` is the long one."""
    *_, tally = run(count=2, seed=5)
    assert tally.signals.total() >= 2
