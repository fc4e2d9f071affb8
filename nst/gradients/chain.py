"""Value and gradient of an objective on a chain of convolutions, ReLUs and pools, written out.

A frozen network needs no autograd. One forward pass keeps what the backward pass needs: features
where a loss sits, elsewhere a byte per ReLU that says whether it was active. One backward pass
carries a single gradient, to which each layer that has a loss adds its own.

With gradient checkpointing (Chen et al. 2016, arXiv 1604.06174) the forward pass keeps of a large
block, from pool to pool, only its input, and the backward pass computes it once more, both in
strips of rows (:mod:`nst.gradients.strips`).

Weights and activations may be bfloat16; targets, statistics, losses and pixels are not. N images
never mix.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nst.backbones.network import Backbone
from nst.backbones.pooling import POOLS, BlurPool2d, blur_pool_backward
from nst.gradients import operations as ops
from nst.gradients.layer_terms import LayerTerms
from nst.gradients.strips import Block, Operation, Strip, blocks, strips, whole_strip
from nst.losses.objective import Objective
from nst.losses.terms import INPUT


@dataclass
class Saved:
    """What the backward pass needs of one operation of the forward pass.

    Attributes:
        shape: of the input
        features: the output, where a loss sees it
        mask: −1 where a ReLU was active, else 0 (int8), where no loss sees its output
        indices: of max pooling
    """

    operation: Operation
    shape: torch.Size
    features: Tensor | None = None
    mask: Tensor | None = None
    indices: Tensor | None = None


def is_chain(backbone: Backbone) -> bool:
    """Whether a network is such a chain; SqueezeNet with its branches is not."""
    modules = list(backbone.chain.values())
    return all(isinstance(m, nn.ReLU) or _is_plain(m) for m in modules)


def _is_plain(module: nn.Module) -> bool:
    """A convolution that keeps the size, or a pool that halves it."""
    if isinstance(module, nn.Conv2d):
        same = module.padding == (1, 1) and module.kernel_size == (3, 3)
        return same and module.stride == (1, 1) and module.dilation == (1, 1)
    if isinstance(module, nn.MaxPool2d | nn.AvgPool2d):
        return module.kernel_size == 2 and not bool(module.ceil_mode)
    return isinstance(module, BlurPool2d)


class ChainGradient:
    """What :func:`nst.gradients.engine.by_autograd` computes, in less time and memory."""

    def __init__(self, objective: Objective, checkpointing: bool = False):
        """
        Args:
            objective: on a backbone that :func:`is_chain`, in any precision
            checkpointing: compute large blocks twice and in strips, for a fraction of the memory
        """
        self.objective, self.backbone = objective, objective.backbone
        self.checkpointing = checkpointing
        self.blocks = blocks_of(objective)
        self._observed = set(objective.layers)

    @torch.no_grad()
    def __call__(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Terms (N, K) and the gradient of each image's own sum of terms, (N, 3, H, W)."""
        terms = LayerTerms(self.objective, images)
        terms.add(INPUT, images, (0, images.shape[2]))
        terms.close([INPUT])
        at_pixels = self._forward_and_backward(self.backbone.normalize(images), images, terms)
        gradient = terms.gradient(None, INPUT, images)
        if gradient is None:
            gradient = torch.zeros_like(images)
        if at_pixels is not None:
            at_pixels = at_pixels.to(images.dtype, memory_format=torch.contiguous_format)
            gradient = gradient.addcdiv_(at_pixels, self.backbone.std)
        zeros = images.new_zeros(images.shape[0])
        values = [terms.values.get(name, zeros) for name in self.objective.names]
        return torch.stack(values, 1), gradient

    def _forward_and_backward(self, x: Tensor, images: Tensor, terms: LayerTerms) -> Tensor | None:
        """The gradient at the normalised pixels x (N, 3, H, W); None where no layer has a loss."""
        inputs: list[Tensor] = []  # of each block that is to be computed again; else empty
        saved: list[list[Saved]] = []
        for block in self.blocks:
            cut = strips(x.shape, block) if self.checkpointing else [whole_strip(x)]
            at_once = len(cut) == 1
            inputs.append(x.new_empty(0) if at_once else x)
            saved.append([])
            x = self._forward(x, block, cut, images, terms, saved[-1] if at_once else None)
            terms.close(operation.layer for operation in block.operations)
        g: Tensor | None = None
        del x
        while inputs:
            block, x, of_block = self.blocks[len(inputs) - 1], inputs.pop(), saved.pop()
            if of_block:
                g = self._backward(g, of_block, 0, terms)
            else:
                g = self._recompute(g, x, block, images, terms)
        return g

    def _forward(
        self,
        x: Tensor,
        block: Block,
        cut: Sequence[Strip],
        images: Tensor,
        terms: LayerTerms,
        save_to: list[Saved] | None,
    ) -> Tensor:
        """The output of a block, (N, C', H', W'), strip by strip."""
        if len(cut) == 1:
            return self._operations(x, block, cut[0], images, terms, save_to)
        output: Tensor | None = None
        for strip in cut:
            y = strip.own_rows(
                self._operations(strip.computed(x), block, strip, images, terms, None),
                block.pooled,
            )
            if output is None:
                rows = x.shape[2] // 2 if block.pooled else x.shape[2]
                output = ops.blank(y, torch.Size((*y.shape[:2], rows, y.shape[3])))
            low = strip.first // 2 if block.pooled else strip.first
            output[:, :, low : low + y.shape[2]] = y
        assert output is not None
        return output

    def _operations(
        self,
        x: Tensor,
        block: Block,
        strip: Strip,
        images: Tensor,
        terms: LayerTerms | None,
        save_to: list[Saved] | None,
    ) -> Tensor:
        """A strip's forward pass through a block; terms: that its own rows count for."""
        for operation in block.operations:
            module, indices, shape = self.backbone.chain[operation.name], None, x.shape
            self.backbone.require_room(operation.name, x, images)
            if isinstance(module, nn.Conv2d):
                y = self._convolution(x, module, operation.relu is not None)
            elif isinstance(module, nn.MaxPool2d):
                y, indices = ops.max_pool(x)
            else:
                y = F.relu(x) if isinstance(module, nn.ReLU) else module(x)
            pooled, x = isinstance(module, POOLS), y
            observed = operation.layer in self._observed
            if observed and terms is not None:
                low = strip.low // 2 if pooled else strip.low
                terms.add(operation.layer, y, strip.rows(pooled), low)
            if save_to is not None:
                rectified = operation.relu is not None or isinstance(module, nn.ReLU)
                mask = ops.active(y) if rectified and not observed else None
                save_to.append(Saved(operation, shape, y if observed else None, mask, indices))
        return x

    def _recompute(
        self, g: Tensor | None, x: Tensor, block: Block, images: Tensor, terms: LayerTerms
    ) -> Tensor:
        """The gradient at a block's input x; the block is computed once more."""
        gradient = ops.blank(x, x.shape)
        for strip in strips(x.shape, block):
            saved: list[Saved] = []
            self._operations(strip.computed(x), block, strip, images, None, saved)
            upstream = None if g is None else strip.computed(g, block.pooled)
            if upstream is not None:  # the strips overlap, and the backward pass works in place
                upstream = upstream.clone(memory_format=torch.channels_last)
            at_strip = self._backward(upstream, saved, strip.low, terms)
            gradient[:, :, strip.first : strip.last] = strip.own_rows(at_strip)
        return gradient

    def _backward(
        self, g: Tensor | None, saved: list[Saved], low: int, terms: LayerTerms
    ) -> Tensor:
        """Carry the gradient g back through a block, of which row ``low`` is the first."""
        while saved:
            last = saved.pop()  # its features are freed as soon as they are used
            module, layer = self.backbone.chain[last.operation.name], last.operation.layer
            if last.features is not None:
                row = low // 2 if isinstance(module, POOLS) else low
                g = terms.gradient(g, layer, last.features, row)
            assert g is not None  # the deepest operation is one where a loss sits
            if last.operation.relu is not None or isinstance(module, nn.ReLU):
                g = ops.relu_backward(g, last.features, last.mask)
            if isinstance(module, nn.Conv2d):
                g = self._convolution_backward(g, last.shape, module)
            elif isinstance(module, nn.AvgPool2d):
                g = ops.average_pool_backward(g, last.shape)
            elif isinstance(module, BlurPool2d):
                g = blur_pool_backward(g, last.shape)
            elif isinstance(module, nn.MaxPool2d):
                assert last.indices is not None
                g = ops.max_pool_backward(g, last.shape, last.indices)
        assert g is not None
        return g

    def _convolution(self, x: Tensor, conv: nn.Conv2d, relu: bool) -> Tensor:
        by_winograd = self.objective.convolutions.forward(conv, x, relu)
        return ops.convolution(x, conv, relu) if by_winograd is None else by_winograd

    def _convolution_backward(self, g: Tensor, shape: torch.Size, conv: nn.Conv2d) -> Tensor:
        by_winograd = self.objective.convolutions.backward(conv, g)
        return ops.convolution_backward(g, shape, conv) if by_winograd is None else by_winograd


def blocks_of(objective: Objective) -> tuple[Block, ...]:
    """The blocks that an objective's layers need."""
    reach = {
        layer: max((term.loss.reach for term in objective.at(layer)), default=0)
        for layer in objective.layers
    }
    whole = [
        layer
        for layer in objective.layers
        if any(not term.loss.additive for term in objective.at(layer))
    ]
    return blocks(objective.backbone, reach, whole)
