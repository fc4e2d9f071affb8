"""What a pass of N runs minimises: the same objective in float32 and in the format of the steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from nst.backbones.network import Backbone
from nst.backbones.winograd import Convolutions
from nst.config import Config
from nst.gradients.engine import engine
from nst.gradients.precision import CheckedBFloat16, Precision
from nst.losses.objective import Objective
from nst.losses.terms import terms_from_config
from nst.optimizers.steps import ValueAndGradient


class Networks:
    """A backbone in float32 and in the format of the steps, with their convolutions' weights.

    Attributes:
        exact: in float32
        fast: in the format of the steps; the same object where that is float32
    """

    def __init__(self, backbone: Backbone, precision: Precision):
        self.exact, self.fast = backbone, backbone.in_precision(precision.dtype)
        self._convolutions = {b: Convolutions() for b in (self.exact, self.fast)}

    def convolutions(self, backbone: Backbone) -> Convolutions:
        """Those of one of the two."""
        return self._convolutions[backbone]


@dataclass(frozen=True)
class Objectives:
    """One objective, twice.

    Attributes:
        exact: in float32
        fast: in the format of the steps
    """

    exact: Objective
    fast: Objective


def make_objectives(
    cfgs: Sequence[Config],
    networks: Networks,
    contents: Sequence[Tensor],
    styles: Sequence[Tensor],
) -> Objectives:
    """The objectives of N runs.

    Args:
        cfgs: of the runs, which may share a batch
        networks: on the pictures' device
        contents, styles: (1, 3, H, W) for each run, the same tensor where runs share a picture;
            empty where the task has none
    """
    specs = [terms_from_config(cfg) for cfg in cfgs]
    content = _batch(contents) if contents else None
    objectives = [
        Objective.of_pictures(
            backbone, specs, content, list(styles) or None, networks.convolutions(backbone)
        )
        for backbone in dict.fromkeys((networks.exact, networks.fast))
    ]
    return Objectives(objectives[0], objectives[-1])


def _batch(pictures: Sequence[Tensor]) -> Tensor:
    """Pictures of one size as a batch: (1, 3, H, W) where all are the same, else (N, 3, H, W)."""
    same = all(picture is pictures[0] for picture in pictures)
    return pictures[0] if same else torch.cat(list(pictures))


@dataclass
class Evaluator:
    """How the steps of a pass are evaluated.

    Attributes:
        evaluate: images → terms and gradients
        checked: the comparison with float32, where there is one
    """

    evaluate: ValueAndGradient
    checked: CheckedBFloat16 | None = field(default=None)


def make_evaluator(objectives: Objectives, precision: Precision, checkpointing: bool) -> Evaluator:
    """Evaluations in the format of the steps, compared with float32 where that is due."""
    fast = engine(objectives.fast, checkpointing)
    if not precision.checked:
        return Evaluator(fast)
    # a few evaluations in float32, which are not to need the most memory
    checked = CheckedBFloat16(fast, engine(objectives.exact, checkpointing=True))
    return Evaluator(checked, checked)
