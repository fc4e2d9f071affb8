from __future__ import annotations

import pytest

from nst.command.launcher import BatchedLauncher, check_max_batch
from nst.errors import InputError, shown
from nst.runs.memory.choice import MAX_BATCH


@pytest.mark.parametrize("max_batch", [1, 8, MAX_BATCH, "auto"])
def test_sizes_of_a_batch(max_batch: object) -> None:
    check_max_batch(max_batch)


@pytest.mark.parametrize("max_batch", [0, -1, MAX_BATCH + 1, 500, 2.5, True, "many", None])
def test_other_sizes_are_refused_with_the_bound(max_batch: object) -> None:
    with pytest.raises(InputError, match=f"{shown(max_batch)}: expected 1 to {MAX_BATCH}, or auto"):
        check_max_batch(max_batch)


def test_sweepers_that_make_no_plan_are_refused_too() -> None:
    from hydra.errors import CompactHydraException

    with pytest.raises(CompactHydraException, match="expected 1 to"):
        BatchedLauncher(max_batch=500).launch([["seed=0"]], 0)
