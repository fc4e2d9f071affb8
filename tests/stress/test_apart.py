from __future__ import annotations

import pytest

from tests.stress.apart import run


@pytest.mark.slow
def test_a_batch_is_no_further_from_runs_alone_than_a_start_a_millionth_away() -> None:
    """The short form; ``python -m tests.stress.apart`` is the long one."""
    early, late = run(48, (2, 20), "precision=float32", "init=noise")
    (_, batch, elsewhere) = late
    assert early[1].most <= 1
    assert batch.mean <= 2 * elsewhere.mean + 1
    assert batch.loss < 0.2
