"""Value and gradient of an objective on a chain of convolutions, ReLUs and pools, written out.

A frozen network needs no autograd. One walk forwards keeps what the way back needs: features where
a loss taps, elsewhere a byte per ReLU that says whether it let pass. One walk back carries a single
gradient, to which each layer that has a loss adds its own in closed form (Gatys et al. 2015, eq. 2
and 6): ``2k(F − P)`` for content and ``4k/M · F(G − A)`` for style, k as in :mod:`nst.losses`; a
convolution 3×3 of the features where Gram matrices with the neighbours count too.

With ``checkpoint`` the way forwards keeps of a large block, from pool to pool, only what enters it,
and the way back computes it once more, both in strips of rows: a strip's rows depend on a few rows
around it only, and sums over positions are sums over strips.

Weights and activations may be bfloat16; targets, Gram sums, losses and pixels are not. N images
never mix.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nst import losses
from nst.backbones import Backbone
from nst.objective import Objective
from nst.patches import patch_loss_gradient
from nst.pooling import POOLS, BlurPool2d, blur_pool_backward

_aten = torch.ops.aten
_PLANES = torch.contiguous_format
_STRIP = 2**23
"""Numbers in a strip's largest feature map, about."""
_LEAST = 16
"""Rows of a strip for each row of its halo, at least: what is computed twice stays little."""
_CHUNK = 2**16


@dataclass(frozen=True)
class Operation:
    """A stage of the chain, and the ReLU that runs with it, if any."""

    name: str
    relu: str | None = None

    @property
    def layer(self) -> str:
        """Whose features leave."""
        return self.relu or self.name


@dataclass(frozen=True)
class Block:
    """Operations up to a pool, which ends the block, or to the deepest layer that is needed.

    Attributes:
        halo: rows on either side on which a row depends, one for each convolution, two for a
            pool that blurs and where a loss sees neighbours
        channels: of the widest features
    """

    operations: tuple[Operation, ...]
    pooled: bool
    halo: int
    channels: int


@dataclass(frozen=True)
class Strip:
    """Rows of what enters a block: a strip's own, and those that are computed with it."""

    first: int
    last: int
    low: int
    high: int

    def own(self, x: Tensor, pooled: bool = False) -> Tensor:
        """The own rows of what was computed, (N, C, rows, W), before or after the pool."""
        first, last = self.rows(pooled)
        return x[:, :, first:last]

    def rows(self, pooled: bool = False) -> tuple[int, int]:
        """Which of the rows that are computed are its own, from and to."""
        by = 2 if pooled else 1
        return self.first // by - self.low // by, self.last // by - self.low // by

    def all(self, x: Tensor, pooled: bool = False) -> Tensor:
        """The rows that are computed, of features of the whole image."""
        by = 2 if pooled else 1
        return x[:, :, self.low // by : self.high // by]


@dataclass
class Done:
    """One operation of the walk forwards, as the way back needs it.

    Attributes:
        entered: shape of what entered
        features: what left, where a loss taps it
        passed: −1 where a ReLU let pass, else 0 (int8), where no loss taps it
        indices: of max pooling
    """

    operation: Operation
    entered: torch.Size
    features: Tensor | None = None
    passed: Tensor | None = None
    indices: Tensor | None = None


def supports(backbone: Backbone) -> bool:
    """Whether a network is such a chain; SqueezeNet with its branches is not."""
    stages = list(backbone.chain.values())
    return all(isinstance(s, nn.ReLU) or _is_plain(s) for s in stages)


def _is_plain(stage: nn.Module) -> bool:
    """A convolution that keeps the size, or a pool that halves it."""
    if isinstance(stage, nn.Conv2d):
        same = stage.padding == (1, 1) and stage.kernel_size == (3, 3)
        return same and stage.stride == (1, 1) and stage.dilation == (1, 1)
    if isinstance(stage, nn.MaxPool2d | nn.AvgPool2d):
        return stage.kernel_size == 2 and not bool(stage.ceil_mode)
    return isinstance(stage, BlurPool2d)


class _Sums:
    """One evaluation's losses: sums over positions as they come, then terms and gradients."""

    def __init__(self, engine: ExplicitGradient, images: Tensor):
        self.engine, self.objective = engine, engine.objective
        self.pixels = images.shape[2] * images.shape[3]
        self.terms: dict[str, Tensor] = {}
        self.style: dict[str, Tensor] = {}  # 2k/M · (G − A), still to be multiplied by F
        self._grams: dict[str, Tensor] = {}  # and those with the neighbours: (N, 1 or 5, C, C)
        self._positions: dict[str, int] = {}

    def add(self, layer: str, y: Tensor, rows: tuple[int, int], low: int = 0) -> None:
        """Count some rows, from and to, of features y (N, C, rows, W), whose first is ``low``."""
        if layer in self.objective.spec.content_layers:
            away = self._away(layer, _cut(y, rows), low + rows[0])
            k, name = self.engine.content_factor(layer), f"content/{layer}"
            value = k * away.square_().flatten(1).sum(1)
            self.terms[name] = self.terms[name] + value if name in self.terms else value
        if layer in self.objective.spec.style_layers:
            grams, m = self._gram_matrices(layer, y, rows), (rows[1] - rows[0]) * y.shape[3]
            if layer in self._grams:  # both are means: weigh them by their positions
                before = self._positions[layer]
                share = m / (m + before)
                grams, m = torch.lerp(self._grams[layer], grams, share), m + before
            self._grams[layer], self._positions[layer] = grams, m

    def _gram_matrices(self, layer: str, y: Tensor, rows: tuple[int, int]) -> Tensor:
        """The plain one, and those with the neighbours where they count: (N, 1 or 5, C, C)."""
        shift = self.objective.shifts.get(layer)
        if layer in self.objective.neighbours:
            return losses.gram_matrices(y, shift, rows)
        return losses.gram_matrix(_cut(y, rows), shift)[:, None]

    def close(self, operations: Sequence[Operation | str]) -> None:
        """All rows of these layers are there: their style terms follow."""
        for layer in (o if isinstance(o, str) else o.layer for o in operations):
            if layer in self._grams:
                grams, m = self._grams.pop(layer), self._positions[layer]
                size = losses.LayerSize(grams.shape[2], m, self.pixels)
                k = self.engine.style_factor(layer, size)
                away, shares = grams - self._targets(layer), self._shares(layer)
                errors = away.square().sum((2, 3))  # (N, 1 or 5)
                self.terms[f"style/{layer}"] = k * (errors @ shares)
                factors = (2 / m * k)[:, None] * shares  # (N or 1, 1 or 5)
                self.style[layer] = away.mul_(factors[..., None, None])

    def _targets(self, layer: str) -> Tensor:
        """Of what :meth:`_gram_matrices` finds, (N or 1, 1 or 5, C, C)."""
        plain, neighbours = self.objective.grams[layer][:, None], self.objective.neighbours
        return torch.cat([plain, neighbours[layer]], 1) if layer in neighbours else plain

    def _shares(self, layer: str) -> Tensor:
        """Of each of them in the layer's term, (1 or 5,)."""
        grams = self.objective.grams[layer]
        if layer not in self.objective.neighbours:
            return grams.new_ones(1)
        share, count = self.objective.spec.style_neighbours, len(losses.NEIGHBOURS)
        return grams.new_tensor([1 - share, *[share / count] * count])

    def gradient(self, g: Tensor | None, layer: str, y: Tensor, low: int = 0) -> Tensor | None:
        """What arrives at features y (N, C, rows, W) and what the layer's losses add."""
        if layer in self.style:
            away, centred = self.style[layer], losses.centred(y, self.objective.shifts.get(layer))
            if away.shape[1] == 1:
                g = _add_style(g, centred, 2 * away[:, 0].to(y.dtype))
            else:
                g = _add_neighbours(g, centred, _kernels(away.to(y.dtype)))
        if layer in self.objective.spec.content_layers:
            k = self.engine.content_factor(layer)
            content = self._away(layer, y, low).mul_(2 * k.view(-1, 1, 1, 1)).to(y.dtype)
            g = content if g is None else g.add_(content)
        return g

    def _away(self, layer: str, y: Tensor, low: int) -> Tensor:
        return y - self.objective.content[layer][:, :, low : low + y.shape[2]]


class ExplicitGradient:
    """The same as :meth:`Objective.value_and_gradient`, to rounding, in less time and memory."""

    def __init__(self, objective: Objective, checkpoint: bool = False):
        """
        Args:
            objective: on a backbone that :func:`supports` knows, in any precision
            checkpoint: compute large blocks twice and in strips, for a fraction of the memory
        """
        self.objective, self.backbone = objective, objective.backbone
        self.checkpoint = checkpoint
        self.blocks = plan(self.backbone, objective.layers, bool(objective.neighbours))
        self._content_factors: dict[str, Tensor] = {}
        self._style_factors: dict[tuple[str, losses.LayerSize], Tensor] = {}

    @torch.no_grad()
    def __call__(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Terms (N, K) and the gradient of each image's own sum of terms, (N, 3, H, W)."""
        sums = _Sums(self, images)
        sums.add("input", images, (0, images.shape[2]))
        sums.close(["input"])
        arrived = self._walk(self.backbone.normalise(images), images, sums)
        sums.terms["tv"], gradient = _total_variation(images, self.objective)
        sums.terms["patch"] = self._patch(images, gradient)
        at_input = sums.gradient(None, "input", images)
        if at_input is not None:
            gradient = gradient + at_input.to(gradient)
        if arrived is not None:
            arrived = arrived.to(images.dtype, memory_format=_PLANES)
            gradient = gradient.addcdiv_(arrived, self.backbone.std)
        return torch.stack([sums.terms[name] for name in self.objective.names], 1), gradient

    def _walk(self, x: Tensor, images: Tensor, sums: _Sums) -> Tensor | None:
        """Forwards and back; the gradient at the normalised pixels x (N, 3, H, W)."""
        entered: list[Tensor] = []  # what enters each block that is to be computed again
        walked: list[list[Done]] = []
        for block in self.blocks:
            cut = strips(x.shape, block) if self.checkpoint else [_whole(x)]
            keep = len(cut) == 1
            entered.append(x.new_empty(0) if keep else x)
            walked.append([])
            x = self._forward(x, block, cut, images, sums, walked[-1] if keep else None)
            sums.close(block.operations)
        g: Tensor | None = None
        del x
        while entered:
            block, x, done = self.blocks[len(entered) - 1], entered.pop(), walked.pop()
            g = self._backward(g, done, 0, sums) if done else self._again(g, x, block, images, sums)
        return g

    def _forward(
        self,
        x: Tensor,
        block: Block,
        cut: Sequence[Strip],
        images: Tensor,
        sums: _Sums,
        keep: list[Done] | None,
    ) -> Tensor:
        """A block, strip by strip; what leaves it, (N, C', H', W')."""
        if len(cut) == 1:
            return self._operations(x, block, cut[0], images, sums, keep)
        left: Tensor | None = None
        for strip in cut:
            y = strip.own(
                self._operations(strip.all(x), block, strip, images, sums, None), block.pooled
            )
            if left is None:
                rows = x.shape[2] // 2 if block.pooled else x.shape[2]
                left = _blank(y, torch.Size((*y.shape[:2], rows, y.shape[3])))
            low = strip.first // 2 if block.pooled else strip.first
            left[:, :, low : low + y.shape[2]] = y
        assert left is not None
        return left

    def _operations(
        self,
        x: Tensor,
        block: Block,
        strip: Strip,
        images: Tensor,
        sums: _Sums | None,
        keep: list[Done] | None,
    ) -> Tensor:
        """A strip's way through a block; sums: the losses that its own rows count for."""
        for operation in block.operations:
            stage, indices, shape = self.backbone.chain[operation.name], None, x.shape
            self.backbone.require_room(operation.name, x, images)
            if isinstance(stage, nn.Conv2d):
                y = self._convolution(x, stage, operation.relu is not None)
            elif isinstance(stage, nn.MaxPool2d):
                y, indices = _aten.max_pool2d_with_indices(x, [2, 2], [2, 2])
            else:
                y = F.relu(x) if isinstance(stage, nn.ReLU) else stage(x)
            pooled, x = isinstance(stage, POOLS), y
            tapped = operation.layer in self.objective.layers
            if tapped and sums is not None:
                low = strip.low // 2 if pooled else strip.low
                sums.add(operation.layer, y, strip.rows(pooled), low)
            if keep is not None:
                rectified = operation.relu is not None or isinstance(stage, nn.ReLU)
                passed = y.bool().view(torch.int8).neg_() if rectified and not tapped else None
                keep.append(Done(operation, shape, y if tapped else None, passed, indices))
        return x

    def _again(
        self, g: Tensor | None, x: Tensor, block: Block, images: Tensor, sums: _Sums
    ) -> Tensor:
        """A block computed once more from what enters it, x, and back: the gradient at x."""
        found = _blank(x, x.shape)
        for strip in strips(x.shape, block):
            walked: list[Done] = []
            self._operations(strip.all(x), block, strip, images, None, walked)
            arrives = None if g is None else strip.all(g, block.pooled)
            if arrives is not None:  # the strips overlap, and the way back works in place
                arrives = arrives.clone(memory_format=torch.channels_last)
            back = self._backward(arrives, walked, strip.low, sums)
            found[:, :, strip.first : strip.last] = strip.own(back)
        return found

    def _patch(self, images: Tensor, gradient: Tensor) -> Tensor:
        """The weighted term (N,); its gradient is added to what is given."""
        if not self.objective.patches:
            return images.new_zeros(images.shape[0])
        weight = self._weight("patch")
        values, slope = patch_loss_gradient(images, self.objective.patches)
        gradient.addcmul_(slope, weight.view(-1, 1, 1, 1))
        return weight * values

    def content_factor(self, layer: str) -> Tensor:
        """k times the term's weight, (N or 1,), computed once."""
        if layer not in self._content_factors:
            convention = losses.CONTENT_FACTORS[self.objective.spec.content]
            k = convention(self.objective.content[layer])
            self._content_factors[layer] = k * self._weight(f"content/{layer}")
        return self._content_factors[layer]

    def style_factor(self, layer: str, size: losses.LayerSize) -> Tensor:
        """k times the term's weight, (N or 1,), computed once for images of a size."""
        if (layer, size) not in self._style_factors:
            convention = losses.STYLE_FACTORS[self.objective.spec.style]
            k = convention(self.objective.grams[layer], size)
            self._style_factors[layer, size] = k * self._weight(f"style/{layer}")
        return self._style_factors[layer, size]

    def _weight(self, term: str) -> Tensor:
        """(N or 1,)."""
        return self.objective.weights[:, self.objective.names.index(term)]

    def _backward(self, g: Tensor | None, walked: list[Done], low: int, sums: _Sums) -> Tensor:
        """Carry the gradient g back through a block, of which row ``low`` is the first."""
        while walked:
            done = walked.pop()  # its features are freed as soon as they are used
            stage, layer = self.backbone.chain[done.operation.name], done.operation.layer
            pool = isinstance(stage, POOLS)
            if done.features is not None:
                g = sums.gradient(g, layer, done.features, low // 2 if pool else low)
            assert g is not None  # the deepest operation is one that a loss taps
            if done.operation.relu is not None or isinstance(stage, nn.ReLU):
                g = _rectifier_backward(g, done)
            if isinstance(stage, nn.Conv2d):
                g = self._convolution_backward(g, _blank(g, done.entered), stage)
            elif isinstance(stage, nn.AvgPool2d):
                g = _average_backward(g, done.entered)
            elif isinstance(stage, BlurPool2d):
                g = blur_pool_backward(g, done.entered)
            elif isinstance(stage, nn.MaxPool2d):
                g = _aten.max_pool2d_with_indices_backward(
                    g, _blank(g, done.entered), [2, 2], [2, 2], [0, 0], [1, 1], False, done.indices
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


def plan(backbone: Backbone, layers: Sequence[str], neighbours: bool = False) -> tuple[Block, ...]:
    """The blocks up to the deepest of the layers; none where only ``input`` is wanted.

    Args:
        neighbours: whether losses see positions together with their neighbours
    """
    names = list(backbone.chain)
    deepest = max((names.index(layer) for layer in layers if layer != "input"), default=-1)
    blocks: list[Block] = []
    operations: list[Operation] = []
    channels, halo = 0, 2 * neighbours
    for operation in _operations(names[: deepest + 1], set(layers)):
        stage = backbone.chain[operation.name]
        operations.append(operation)
        if isinstance(stage, nn.Conv2d):
            channels, halo = max(channels, stage.out_channels), halo + int(stage.padding[0])
        if isinstance(stage, POOLS):
            halo += 2 * isinstance(stage, BlurPool2d)
            blocks.append(Block(tuple(operations), True, halo, channels))
            operations, halo = [], 2 * neighbours
    if operations:
        blocks.append(Block(tuple(operations), False, halo, channels))
    return tuple(blocks)


def _operations(names: list[str], tapped: set[str]) -> list[Operation]:
    """A ReLU runs with what is before it, but where a loss taps between."""
    found: list[Operation] = []
    for i, name in enumerate(names):
        previous = names[i - 1] if i else "input"
        if name.startswith("relu") and found and previous not in tapped:
            found[-1] = Operation(previous, name)
        else:
            found.append(Operation(name))
    return found


def strips(shape: torch.Size, block: Block) -> list[Strip]:
    """How a block's input (N, C, H, W) is cut: into one where it is small."""
    n, _, height, width = shape
    rows = max(_STRIP // (n * block.channels * width), _LEAST * block.halo, 2)
    count = max(1, height // rows)
    rows = max(2, -(-height // count // 2) * 2)  # even, so that no 2×2 of a pool is cut
    firsts = range(0, max(1, height - 1), rows)  # a single last row goes with those before it
    lasts = [*firsts[1:], height]
    margin = 2 * block.halo  # the way back needs a halo of features that are right themselves
    return [
        Strip(first, last, max(first - margin, 0), min(last + margin, height))
        for first, last in zip(firsts, lasts, strict=True)
    ]


def _whole(x: Tensor) -> Strip:
    return Strip(0, x.shape[2], 0, x.shape[2])


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


def _average_backward(g: Tensor, entered: torch.Size) -> Tensor:
    """Backward of 2×2 average pooling; an odd last row or column of what entered was left out."""
    g = F.interpolate(g * 0.25, scale_factor=2, mode="nearest")
    below, right = entered[2] - g.shape[2], entered[3] - g.shape[3]
    return F.pad(g, (0, right, 0, below)) if below or right else g


def _blank(like: Tensor, shape: torch.Size) -> Tensor:
    """Channels last, not filled. Of a convolution's input the way back reads the shape alone; on
    a CPU memory that nobody touches is none."""
    return torch.empty(
        shape, dtype=like.dtype, device=like.device, memory_format=torch.channels_last
    )


def _rectifier_backward(g: Tensor, done: Done) -> Tensor:
    """Backward of a ReLU, in place, from its output or from where it let pass."""
    if done.passed is None:
        masked: Tensor = _aten.threshold_backward.grad_input(g, done.features, 0, grad_input=g)
        return masked
    integers = {2: torch.int16, 4: torch.int32, 8: torch.int64}[g.element_size()]
    last = torch.channels_last
    if not (g.is_contiguous(memory_format=last) and done.passed.is_contiguous(memory_format=last)):
        return g.mul_(done.passed).neg_()
    bits = g.permute(0, 2, 3, 1).view(-1).view(integers)
    passed = done.passed.permute(0, 2, 3, 1).view(-1)
    size = _CHUNK if g.device.type == "cpu" else g.numel()
    for part, mask in zip(torch.split(bits, size), torch.split(passed, size), strict=True):
        part.bitwise_and_(mask.to(integers))  # in a cache's size: widening costs more than the rest
    return g


def _cut(y: Tensor, rows: tuple[int, int]) -> Tensor:
    return y[:, :, rows[0] : rows[1]]


def _add_style(g: Tensor | None, y: Tensor, factor: Tensor) -> Tensor:
    """g + F·D, in place, for features y (N, C, H, W), a symmetric D (N, C, C)."""
    rows = losses.positions(y)
    if g is None:
        return (rows @ factor).transpose(1, 2).view(y.shape)
    g.flatten(2).transpose(1, 2).baddbmm_(rows, factor)
    return g


def _kernels(away: Tensor) -> Tensor:
    """Half of the gradients by five Gram matrices (N, 5, C, C) as kernels (N, C, C, 3, 3).

    The plain one's is symmetric and counts twice, in the middle. That of positions with a neighbour
    counts for either of the two, transposed for the neighbour, which sees the other behind it.
    """
    n, _, c, _ = away.shape
    kernels = away.new_zeros(n, c, c, 3, 3)
    kernels[..., 1, 1] = 2 * away[:, 0]
    for (down, right), one in zip(losses.NEIGHBOURS, away[:, 1:].unbind(1), strict=True):
        kernels[..., 1 + down, 1 + right] = one
        kernels[..., 1 - down, 1 - right] = one.transpose(1, 2)
    return kernels


def _add_neighbours(g: Tensor | None, y: Tensor, kernels: Tensor) -> Tensor:
    """g and, image by image, the convolution of features y (N, C, H, W)."""
    each = zip(torch.split(y, 1), kernels, strict=True)
    found = torch.cat([F.conv2d(x, kernel, padding=1) for x, kernel in each])
    return found if g is None else g.add_(found)


def _total_variation(images: Tensor, objective: Objective) -> tuple[Tensor, Tensor]:
    """The weighted term (N,) and its gradient (N, 3, H, W); see :func:`losses.total_variation`."""
    spec, weight = objective.spec, objective.weights[:, objective.names.index("tv")]
    if not objective.with_tv or min(images.shape[2:]) < 2:
        return images.new_zeros(images.shape[0]), torch.zeros_like(images)
    value, gradient = losses.total_variation_gradient(images, spec.tv_beta, spec.tv_reduction)
    return weight * value, gradient.mul_(weight.view(-1, 1, 1, 1))
