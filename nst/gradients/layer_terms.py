"""One evaluation's losses: statistics as rows arrive, then terms, then gradients at the layers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from nst.losses.layer_loss import LayerSize
from nst.losses.objective import Objective
from nst.losses.terms import Term


@dataclass
class _Running:
    """A mean over the positions so far, of a layer with so many channels."""

    mean: Tensor
    positions: int
    channels: int

    def add(self, mean: Tensor, positions: int) -> None:
        """Take in the mean of further positions."""
        self.positions += positions
        self.mean = torch.lerp(self.mean, mean, positions / self.positions)


class LayerTerms:
    """The losses of one evaluation, layer by layer.

    The forward pass calls :meth:`add` with the rows of a layer as they come and :meth:`close` when
    all have come; the backward pass asks :meth:`gradient` for what the layer's losses add. A loss
    that is not additive gets its layer whole, and its gradient is computed at once.

    Attributes:
        values: {term: its weighted values, (N,)}
    """

    def __init__(self, objective: Objective, images: Tensor):
        self.objective = objective
        self.values: dict[str, Tensor] = {}
        self._pixels = images.shape[2] * images.shape[3]
        self._running: dict[str, _Running] = {}
        self._upstream: dict[str, Tensor] = {}  # at the sums over positions
        self._gradients: dict[str, Tensor] = {}  # of losses that see their layer whole

    def add(self, layer: str, y: Tensor, rows: tuple[int, int], low: int = 0) -> None:
        """Count some rows, from and to, of features y (N, C, rows, W), whose first is ``low``."""
        for term in self.objective.at(layer):
            if term.loss.additive:
                self._add_rows(term, y, rows, low)
            else:
                self._evaluate(term, y)

    def _add_rows(self, term: Term, y: Tensor, rows: tuple[int, int], low: int) -> None:
        first, last = rows
        loss, reference = term.loss, self.objective.target(term).reference
        reference = loss.crop(reference, low + first, low + last)
        below = y[:, :, first : last + loss.reach]
        mean = loss.statistic(below, reference, rows=last - first)
        positions = (last - first) * y.shape[3]
        if term.name in self._running:
            self._running[term.name].add(mean, positions)
        else:
            self._running[term.name] = _Running(mean, positions, y.shape[1])

    def _evaluate(self, term: Term, y: Tensor) -> None:
        size = LayerSize(y.shape[1], y.shape[2] * y.shape[3], self._pixels)
        values, gradient = term.loss.value_and_gradient(y, self.objective.target(term), size)
        self.values[term.name] = self.objective.weight(term) * values
        self._gradients[term.name] = gradient

    def close(self, layers: Iterable[str]) -> None:
        """All rows of these layers have come: the terms of additive losses follow."""
        for layer in layers:
            for term in self.objective.at(layer):
                if term.name in self._running:
                    self._close(term, self._running.pop(term.name))

    def _close(self, term: Term, running: _Running) -> None:
        size = LayerSize(running.channels, running.positions, self._pixels)
        target, weight = self.objective.target(term), self.objective.weight(term)
        self.values[term.name], self._upstream[term.name] = term.loss.value_and_upstream(
            running.mean, target, size, weight
        )

    def gradient(self, g: Tensor | None, layer: str, y: Tensor, low: int = 0) -> Tensor | None:
        """The upstream gradient g at features y (N, C, rows, W) plus that of the losses there."""
        terms = self.objective.at(layer)
        for term in (term for term in terms if term.name in self._gradients):
            added = self._gradients.pop(term.name)
            weight = self.objective.weight(term).view(-1, 1, 1, 1)
            if g is None:
                g = added.mul_(weight).to(y.dtype)
            else:
                g = g.addcmul_(added.to(g), weight.to(g))
        for term in (term for term in reversed(terms) if term.name in self._upstream):
            loss, reference = term.loss, self.objective.target(term).reference
            reference = loss.crop(reference, low, low + y.shape[2])
            g = loss.gradient(y, reference, self._upstream[term.name], into=g)
        return g
