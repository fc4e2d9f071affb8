"""Value and gradient of an objective on a chain of convolutions, ReLUs and pools, written out.

A frozen network needs no autograd. One walk forwards keeps what the way back needs: the output of
every ReLU, from which its mask follows. One walk back carries a single gradient, to which each
layer that has a loss adds its own in closed form (Gatys et al. 2015, eq. 2 and 6):
``2k(F − P)`` for content and ``4k/M · F(G − A)`` for style, k as in :mod:`nst.losses`.

Weights and activations may be bfloat16; targets, Gram sums, losses and pixels are not. N images
never mix.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nst import losses
from nst.backbones import Backbone
from nst.objective import Objective
from nst.patches import patch_loss_gradient

_aten = torch.ops.aten
_PLANES = torch.contiguous_format


@dataclass
class Tapped:
    """What a layer's losses add to the gradient that arrives there.

    Attributes:
        content: 2k(F − P), (N, C, H, W)
        style: 4k/M · (G − A), (N, C, C), still to be multiplied by F
    """

    content: Tensor | None = None
    style: Tensor | None = None


@dataclass
class Done:
    """One operation of the walk forwards, as the way back needs it."""

    stage: nn.Module
    relu: bool  # whether a ReLU ran with a convolution
    entered: Tensor
    left: Tensor
    tapped: Tapped
    indices: Tensor | None = None  # of max pooling


def supports(backbone: Backbone) -> bool:
    """Whether a network is such a chain; SqueezeNet with its branches is not."""
    known = (nn.Conv2d, nn.ReLU, nn.MaxPool2d, nn.AvgPool2d)
    pools = [s for s in backbone.chain.values() if isinstance(s, nn.MaxPool2d | nn.AvgPool2d)]
    plain = all(pool.kernel_size == 2 and not pool.ceil_mode for pool in pools)
    return plain and all(isinstance(stage, known) for stage in backbone.chain.values())


class ExplicitGradient:
    """The same as :meth:`Objective.value_and_gradient`, to rounding, in less time and memory."""

    def __init__(self, objective: Objective):
        """
        Args:
            objective: on a backbone that :func:`supports` knows, in any precision
        """
        self.objective, self.backbone = objective, objective.backbone
        names = list(self.backbone.chain)
        wanted = [names.index(layer) for layer in objective.layers if layer != "input"]
        self._plan = _plan(names[: max(wanted, default=-1) + 1], set(objective.layers))
        self._content_factors: dict[str, Tensor] = {}
        self._style_factors: dict[tuple[str, losses.LayerSize], Tensor] = {}

    @torch.no_grad()
    def __call__(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Terms (N, K) and the gradient of each image's own sum of terms, (N, 3, H, W)."""
        terms: dict[str, Tensor] = {}
        at_input = self._tap("input", images, images, terms).content
        walked = self._forward(images, terms)
        terms["tv"], gradient = _total_variation(images, self.objective)
        terms["patch"] = self._patch(images, gradient)
        if at_input is not None:
            gradient = gradient + at_input.to(gradient)
        if walked:
            arrived = self._backward(walked).to(images.dtype, memory_format=_PLANES)
            gradient = gradient.addcdiv_(arrived, self.backbone.std)
        return torch.stack([terms[name] for name in self.objective.names], 1), gradient

    def _forward(self, images: Tensor, terms: dict[str, Tensor]) -> list[Done]:
        x = self.backbone.normalise(images)
        walked: list[Done] = []
        for name, relu in self._plan:
            stage, indices = self.backbone.chain[name], None
            self.backbone.require_room(name, x, images)
            if isinstance(stage, nn.Conv2d):
                y = self._convolution(x, stage, relu is not None)
            elif isinstance(stage, nn.MaxPool2d):
                y, indices = _aten.max_pool2d_with_indices(x, [2, 2], [2, 2])
            else:
                y = stage(x) if isinstance(stage, nn.AvgPool2d) else F.relu(x)
            tapped = self._tap(relu or name, y, images, terms)
            walked.append(Done(stage, relu is not None, x, y, tapped, indices))
            x = y
        return walked

    def _tap(self, layer: str, y: Tensor, images: Tensor, terms: dict[str, Tensor]) -> Tapped:
        """Enter a layer's loss terms, and return what they add to the gradient."""
        found, m = Tapped(), y.shape[2] * y.shape[3]
        if layer in self.objective.spec.content_layers:
            k = self._content_factor(layer)
            away = y - self.objective.content[layer]  # float32: the target is
            terms[f"content/{layer}"] = k * away.square().flatten(1).sum(1)
            found.content = away.mul_(2 * k.view(-1, 1, 1, 1)).to(y.dtype)
        if layer in self.objective.spec.style_layers:
            k = self._style_factor(layer, y, images)
            away = losses.gram_matrix(y) - self.objective.grams[layer]
            terms[f"style/{layer}"] = k * away.square().flatten(1).sum(1)
            found.style = away.mul_(4 / m * k.view(-1, 1, 1)).to(y.dtype)
            if layer == "input":
                style = _add_style(None, y, found.style)
                found.content = style if found.content is None else found.content + style
        return found

    def _patch(self, images: Tensor, gradient: Tensor) -> Tensor:
        """The weighted term (N,); its gradient is added to what is given."""
        if not self.objective.patches:
            return images.new_zeros(images.shape[0])
        weight = self._weight("patch")
        values, slope = patch_loss_gradient(images, self.objective.patches)
        gradient.addcmul_(slope, weight.view(-1, 1, 1, 1))
        return weight * values

    def _content_factor(self, layer: str) -> Tensor:
        """k times the term's weight, (N or 1,), computed once."""
        if layer not in self._content_factors:
            convention = losses.CONTENT_FACTORS[self.objective.spec.content]
            k = convention(self.objective.content[layer])
            self._content_factors[layer] = k * self._weight(f"content/{layer}")
        return self._content_factors[layer]

    def _style_factor(self, layer: str, y: Tensor, images: Tensor) -> Tensor:
        """k times the term's weight, (N or 1,), computed once for images of a size."""
        size = losses.LayerSize(
            y.shape[1], y.shape[2] * y.shape[3], images.shape[2] * images.shape[3]
        )
        if (layer, size) not in self._style_factors:
            convention = losses.STYLE_FACTORS[self.objective.spec.style]
            k = convention(self.objective.grams[layer], size)
            self._style_factors[layer, size] = k * self._weight(f"style/{layer}")
        return self._style_factors[layer, size]

    def _weight(self, term: str) -> Tensor:
        """(N or 1,)."""
        return self.objective.weights[:, self.objective.names.index(term)]

    def _backward(self, walked: list[Done]) -> Tensor:
        """Carry the gradient back to the normalised pixels, (N, 3, H, W)."""
        g: Tensor | None = None
        while walked:
            done = walked.pop()  # its features are freed as soon as they are used
            tapped = done.tapped
            if tapped.style is not None:
                g = _add_style(g, done.left, tapped.style)
            if tapped.content is not None:
                g = tapped.content if g is None else g.add_(tapped.content)
            assert g is not None  # the deepest operation is one that a loss taps
            if done.relu or isinstance(done.stage, nn.ReLU):
                g = _aten.threshold_backward.grad_input(g, done.left, 0, grad_input=g)
            if isinstance(done.stage, nn.Conv2d):
                g = self._convolution_backward(g, done.entered, done.stage)
            elif isinstance(done.stage, nn.AvgPool2d):
                g = _average_backward(g, done.entered)
            elif isinstance(done.stage, nn.MaxPool2d):
                g = _aten.max_pool2d_with_indices_backward(
                    g, done.entered, [2, 2], [2, 2], [0, 0], [1, 1], False, done.indices
                )
        assert g is not None
        return g

    def _convolution(self, x: Tensor, conv: nn.Conv2d, relu: bool) -> Tensor:
        found = self.objective.convolutions.forward(conv, x, relu)
        return _direct(x, conv, relu) if found is None else found

    def _convolution_backward(self, g: Tensor, x: Tensor, conv: nn.Conv2d) -> Tensor:
        """Gradient with respect to a convolution's input x alone; none for the weights."""
        found = self.objective.convolutions.backward(conv, g)
        return _direct_backward(g, x, conv) if found is None else found


def _plan(names: list[str], tapped: set[str]) -> list[tuple[str, str | None]]:
    """Operations as (stage, the ReLU that runs with it): all but where a loss taps between."""
    plan: list[tuple[str, str | None]] = []
    for i, name in enumerate(names):
        previous = names[i - 1] if i else "input"
        if name.startswith("relu") and plan and previous not in tapped:
            plan[-1] = (previous, name)
        else:
            plan.append((name, None))
    return plan


def _fused(x: Tensor) -> Callable[..., Tensor] | None:
    """oneDNN's convolution with ReLU inside, where this build of torch has it for such a tensor."""
    has = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    if has and x.device.type == "cpu" and x.dtype in (torch.float32, torch.bfloat16):
        return getattr(torch.ops.mkldnn, "_convolution_pointwise", None)
    return None


def _direct(x: Tensor, conv: nn.Conv2d, relu: bool) -> Tensor:
    if not relu:
        return F.conv2d(x, conv.weight, conv.bias, conv.stride, conv.padding)
    fused = _fused(x)
    if fused is None:
        return F.conv2d(x, conv.weight, conv.bias, conv.stride, conv.padding).relu_()
    return fused(
        x, conv.weight, conv.bias, conv.padding, conv.stride, conv.dilation, 1, "relu", [], ""
    )


def _direct_backward(g: Tensor, x: Tensor, conv: nn.Conv2d) -> Tensor:
    found: Tensor = _aten.convolution_backward(
        g, x, conv.weight, None, conv.stride, conv.padding, conv.dilation,
        False, [0, 0], conv.groups, [True, False, False],
    )[0]  # fmt: skip
    return found


def _average_backward(g: Tensor, x: Tensor) -> Tensor:
    """Backward of 2×2 average pooling; an odd last row or column of x was left out."""
    g = F.interpolate(g * 0.25, scale_factor=2, mode="nearest")
    below, right = x.shape[2] - g.shape[2], x.shape[3] - g.shape[3]
    return F.pad(g, (0, right, 0, below)) if below or right else g


def _add_style(g: Tensor | None, y: Tensor, gram_gradient: Tensor) -> Tensor:
    """g + F·D for features y (N, C, H, W) and a symmetric D (N, C, C), without copies."""
    rows = y.flatten(2).transpose(1, 2)  # (N, M, C)
    if g is None:
        total = rows @ gram_gradient
    else:
        total = torch.baddbmm(g.flatten(2).transpose(1, 2), rows, gram_gradient)
    return total.transpose(1, 2).view(y.shape)


def _total_variation(images: Tensor, objective: Objective) -> tuple[Tensor, Tensor]:
    """The weighted term (N,) and its gradient (N, 3, H, W); see :func:`losses.total_variation`."""
    spec, weight = objective.spec, objective.weights[:, objective.names.index("tv")]
    if not objective.with_tv or min(images.shape[2:]) < 2:
        return images.new_zeros(images.shape[0]), torch.zeros_like(images)
    value, gradient = losses.total_variation_gradient(images, spec.tv_beta, spec.tv_reduction)
    return weight * value, gradient.mul_(weight.view(-1, 1, 1, 1))
