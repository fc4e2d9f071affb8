from __future__ import annotations

import pytest

from tests.stress.remarks import run


@pytest.mark.slow
def test_bad_pictures_are_remarked_on_and_good_ones_are_not() -> None:
    """The short form; ``python -m tests.stress.remarks`` is the long one."""
    for overrides, warnings, is_bad in run(size=48, steps=25, every=15):
        assert bool(warnings) == is_bad, (overrides, warnings)
