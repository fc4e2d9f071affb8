"""The terms of an objective: which loss sits where, and what each counts.

A term is a loss L_l at a layer, or a loss on pixels. What is minimised is the sum of the *weighted*
terms, ``α Σ w_l L_content + β Σ w_l L_style + Σ γ L_pixels``. Runs whose weights differ are
compared by the losses before their weights: a term's *unweighted* loss is its L_l, and that of a
kind is ``Σ w_l L_l`` with the weights of the layers and without α or β, for a loss on pixels L
without γ. Unweighted losses have no total: it would add what only weights make comparable.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from nst.config import Config, LossConfig, Task, layer_sets, layer_weights
from nst.errors import InputError, shown
from nst.losses.layer_loss import LayerLoss, Picture
from nst.losses.registry import make_loss

INPUT = "input"
"""The layer of the pixels themselves."""

KINDS = ("content", "style", "tv")
"""Kinds of terms that every run has in its records, be they 0."""

_LEAST_WEIGHT = torch.finfo(torch.float32).tiny
"""By what is smaller float32's values are not divided: they have lost their digits."""


@dataclass(frozen=True)
class Term:
    """One loss at one layer.

    Attributes:
        name: its column in a trace: ``content/LAYER``, ``style/LAYER``, or the name of a loss on
            pixels
        loss: what is compared, and how
        layer: canonical
    """

    name: str
    loss: LayerLoss
    layer: str

    @property
    def kind(self) -> str:
        """What its values are summed under: ``content``, ``style``, ``tv`` …"""
        return self.name.partition("/")[0]

    @property
    def imitates(self) -> Picture | None:
        """The picture that sets its target."""
        return self.loss.imitates


@dataclass(frozen=True)
class WeightedTerms:
    """The terms of one image's objective, and what each is multiplied with.

    Attributes:
        terms: what is summed
        weights: α w_l, β w_l or γ, 0 or more, term by term
        layer_weights: w_l; 1 for a loss on pixels
    """

    terms: tuple[Term, ...]
    weights: tuple[float, ...]
    layer_weights: tuple[float, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the terms."""
        return tuple(term.name for term in self.terms)

    def weighted(self, losses: Sequence[float]) -> list[float]:
        """One image's terms, from their losses before the weights."""
        return [w * loss for w, loss in zip(self.weights, losses, strict=True)]

    def unweighted(self, values: Sequence[float]) -> list[float | None]:
        """Each term's own loss, from one image's weighted terms.

        None where the weight is 0 (or below float32's normal numbers): the weighted term is 0
        whatever the loss is, and a loss on pixels is not even computed.
        """
        pairs = zip(values, self.weights, strict=True)
        return [value / w if w >= _LEAST_WEIGHT else None for value, w in pairs]

    def sum_unweighted(self, losses: Sequence[float | None]) -> dict[str, float | None]:
        """Each kind before its weight: ``Σ w_l L_l``, or L on pixels; all of :data:`KINDS`.

        A layer whose w_l is 0 adds nothing, whether its loss is known or not.

        Args:
            losses: of one image's terms, before the weights; None where not known

        Returns:
            {kind: sum}; None where a loss that counts is not known, and for a kind without terms.
        """
        sums: dict[str, float | None] = dict.fromkeys((*KINDS, *(t.kind for t in self.terms)))
        for kind in dict.fromkeys(term.kind for term in self.terms):
            each = zip(self.terms, self.layer_weights, losses, strict=True)
            counted = [(w, loss) for term, w, loss in each if term.kind == kind and w]
            known = [w * loss for w, loss in counted if loss is not None]
            sums[kind] = sum(known) if len(known) == len(counted) else None
        return sums


def weighted_terms(
    content_layers: Mapping[str, float] | None = None,
    style_layers: Mapping[str, float] | None = None,
    pixels: Sequence[tuple[LayerLoss, float]] = (),
    *,
    content: LayerLoss | None = None,
    style: LayerLoss | None = None,
    content_weight: float = 1.0,
    style_weight: float = 1.0,
) -> WeightedTerms:
    """``α Σ w_l L_content + β Σ w_l L_style + Σ γ L_pixels`` as terms.

    Args:
        content_layers, style_layers: {canonical layer: w_l}
        pixels: losses on pixels with their weights γ
        content, style: the loss at these layers; by default mean squared errors of features and of
            Gram matrices
        content_weight, style_weight: α and β
    """
    layers = (
        ("content", content or make_loss("content", "features", "content"), content_layers or {}),
        ("style", style or make_loss("style", "gram", "style"), style_layers or {}),
    )
    factors = {"content": content_weight, "style": style_weight}
    terms, weights, layer_weights = [], [], []
    for kind, loss, each in layers:
        for layer, weight in each.items():
            terms.append(Term(f"{kind}/{layer}", loss, layer))
            weights.append(factors[kind] * weight)
            layer_weights.append(weight)
    for loss, weight in pixels:
        terms.append(Term(loss.name, loss, INPUT))
        weights.append(weight)
        layer_weights.append(1.0)
    return WeightedTerms(tuple(terms), tuple(weights), tuple(layer_weights))


def terms_from_config(cfg: Config) -> WeightedTerms:
    """What ``loss`` and the layers of a config say; losses whose picture the task lacks are left.

    Raises:
        InputError: a loss, an option or a weight that cannot be, or no weight above 0.
    """
    loss = cfg.loss
    content, style = layer_sets(cfg)
    pictures = {Task.transfer: ("content", "style"), Task.content: ("content",)}
    available = (None, *pictures.get(cfg.task, ("style",)))
    pixels = [(each, w) for each, w in _pixel_losses(loss) if each.imitates in available]
    spec = weighted_terms(
        layer_weights(loss.content_layer_weights, content, "loss.content_layer_weights"),
        layer_weights(loss.style_layer_weights, style, "loss.style_layer_weights"),
        pixels,
        content=make_loss("content", loss.content, "loss.content"),
        style=make_loss("style", loss.style, "loss.style"),
        content_weight=loss.content_weight,
        style_weight=loss.style_weight,
    )
    if not any(spec.weights):
        keys = ", ".join(f"{weight_key(kind)}=0" for kind in _kinds(spec))
        raise InputError(f"{keys}: nothing would be minimised; give one a weight above 0")
    return spec


_WITHOUT = {
    "content": "the content loss counts for nothing, and a transfer becomes a texture",
    "style": "the style loss counts for nothing",
}


def what_is_left_out(cfg: Config) -> list[str]:
    """A sentence for content and for style where the task has it and all of its weights are 0.

    It says which losses on pixels change the picture all the same.
    """
    spec = terms_from_config(cfg)
    weights = dict.fromkeys(_kinds(spec), 0.0)
    for term, weight in zip(spec.terms, spec.weights, strict=True):
        weights[term.kind] += weight
    acting = [f"{weight_key(k)}={w:g}" for k, w in weights.items() if w and k not in _WITHOUT]
    still = f"; the pixels still change by {' and '.join(acting)}, which 0 turns off"
    return [
        f"{weight_key(kind)} is 0: {without}{still if acting else ''}"
        for kind, without in _WITHOUT.items()
        if weights.get(kind) == 0
    ]


def weight_key(kind: str) -> str:
    """The key of a kind's weight.

    >>> weight_key("style"), weight_key("pixel_statistics")
    ('loss.style_weight', 'loss.pixels.pixel_statistics.weight')
    """
    return f"loss.{kind}_weight" if kind in KINDS else f"loss.pixels.{kind}.weight"


def _kinds(spec: WeightedTerms) -> tuple[str, ...]:
    return tuple(dict.fromkeys(term.kind for term in spec.terms))


def _pixel_losses(loss: LossConfig) -> list[tuple[LayerLoss, float]]:
    """Those of ``loss.pixels`` with their weights; total variation is always among them."""
    settings: dict[str, dict[str, Any]] = {"tv": {}}
    for name, options in loss.pixels.items():
        if not isinstance(options, Mapping):
            raise InputError(f"loss.pixels.{name}={shown(options)}: expected {{weight: …}}")
        if "name" in options:
            raise InputError(f"loss.pixels.{name}.name: a loss on pixels is named by its key")
        settings[name] = dict(options)
    if "weight" in settings["tv"]:
        raise InputError("loss.pixels.tv.weight: the weight of total variation is loss.tv_weight")
    settings["tv"]["weight"] = loss.tv_weight
    losses = []
    for name, options in settings.items():
        weight, key = options.pop("weight", 0.0), f"loss.pixels.{name}"
        number = isinstance(weight, (int, float)) and not isinstance(weight, bool)
        if not number or not 0 <= weight <= 1e30:
            raise InputError(f"{key}.weight={shown(weight)}: expected a finite number, 0 to 1e30")
        losses.append((make_loss("pixels", {"name": name, **options}, key), float(weight)))
    return losses


def sum_by_kind(terms: Sequence[Term], values: Sequence[float]) -> dict[str, float]:
    """One image's weighted terms summed: ``total``, then each kind, all of :data:`KINDS`."""
    sums = {"total": sum(values), **dict.fromkeys(KINDS, 0.0)}
    for term, value in zip(terms, values, strict=True):
        sums[term.kind] = sums.get(term.kind, 0.0) + value
    return sums
