"""Checks that types cannot make, before anything is loaded.

A loss checks its own options (:mod:`nst.losses`); those checks need torch and come later.
"""

from __future__ import annotations

import dataclasses
import re
import sys
import types
import typing
from dataclasses import fields
from enum import Enum
from typing import Any

from omegaconf import MISSING

from nst.config.derived import layer_sets, layer_weights, pixel_format, used_images
from nst.config.keys import expected as expected_of
from nst.config.samples import check_source, existing_file
from nst.config.schema import (
    WEIGHTS,
    BackboneName,
    Config,
    InitKind,
    OptimizerConfig,
    ReportConfig,
)
from nst.errors import InputError, did_you_mean, require


def check(cfg: Config) -> None:
    """Whatever types cannot say.

    Raises:
        InputError: names the key, its value, and what would be right.
    """
    _check_types(cfg)
    _check_text(dataclasses.asdict(cfg), "")
    _check_numbers(cfg)
    _check_images(cfg)
    _check_layers(cfg)
    _check_optimizer(cfg.optimizer)
    check_report(cfg.report)
    known = re.fullmatch(r"auto|cpu|mps|cuda(:\d{1,3})?", cfg.device)
    require(bool(known), "device", cfg.device, "auto, cpu, cuda, cuda:N or mps")
    require(
        cfg.gradient_checkpointing == "auto" or isinstance(cfg.gradient_checkpointing, bool),
        "gradient_checkpointing",
        cfg.gradient_checkpointing,
        "auto, true or false",
    )
    _check_auto_or_count("threads", cfg.threads, range(1, 1025), "auto or 1 to 1024")
    expected = "auto (about every minute), a number of steps, or 0 (only when interrupted)"
    _check_auto_or_count("checkpoint_every", cfg.checkpoint_every, range(sys.maxsize), expected)
    for tag in cfg.logger.tags:
        require(1 <= len(tag) <= 64, "logger.tags", repr(tag), "tags of 1 to 64 characters")
    project = cfg.logger.project
    ok = 1 <= len(project) <= 128 and not set(project) & set("/\\#?%:")
    require(ok, "logger.project", repr(project), r"1 to 128 characters, none of / \ # ? % :")
    _check_weights("backbone.weights", cfg.backbone.weights)
    pixel_format(cfg.backbone.weights, cfg.backbone.input.name)


def _check_auto_or_count(key: str, value: object, counts: range, expected: str) -> None:
    """``auto``, or a whole number."""
    is_count = isinstance(value, int) and not isinstance(value, bool) and value in counts
    require(value == "auto" or is_count, key, value, expected)


def _check_weights(key: str, weights: str) -> None:
    if weights not in WEIGHTS and existing_file(weights) is None:
        hint = did_you_mean(weights, WEIGHTS)
        raise InputError(
            f"{key}={weights}: no such file{hint} "
            f"(expected {', '.join(WEIGHTS)} or the path of a state dict)"
        )


def check_report(report: ReportConfig) -> None:
    """Check how a report is to be written.

    Raises:
        InputError: names the key, its value, and what would be right.
    """
    width, judge = report.figure_width, report.judge
    require(1 <= width <= 20, "report.figure_width", width, "1 to 20 inches")
    judges = ("auto", *BackboneName.__members__)
    hint = did_you_mean(judge, judges)
    require(judge in judges, "report.judge", judge, f"one of {', '.join(judges)}{hint}")
    if report.judge_weights is not None:
        _check_weights("report.judge_weights", report.judge_weights)
        require(
            judge != "auto",
            "report.judge_weights",
            report.judge_weights,
            "report.judge beside it, the network that these weights are of",
        )


def _check_types(node: Any, prefix: str = "") -> None:
    """Nothing is missing; strings where a Python caller may put them become enum members."""
    hints = typing.get_type_hints(type(node))
    for item in fields(node):
        key, hint, value = prefix + item.name, hints[item.name], getattr(node, item.name)
        if isinstance(value, str) and value == MISSING:
            raise InputError(f"{key} is not set; nst.compose() makes a whole config")
        if dataclasses.is_dataclass(hint):
            require(isinstance(value, typing.cast(type, hint)), key, value, "a mapping of its keys")
            _check_types(value, f"{key}.")
        elif isinstance(hint, type) and issubclass(hint, Enum) and not isinstance(value, hint):
            choices = hint.__members__
            names = ", ".join(choices)
            require(isinstance(value, str) and value in choices, key, value, f"one of {names}")
            setattr(node, item.name, choices[value])
        else:
            require(_is_a(value, hint), key, value, expected_of(hint))
            for number, each in enumerate(value if typing.get_origin(hint) is list else ()):
                if dataclasses.is_dataclass(each):
                    _check_types(each, f"{key}[{number}].")


def _is_a(value: object, hint: Any) -> bool:
    """Whether a value is of a type; whole numbers are numbers, true and false are not."""
    if hint is Any:
        return True
    if isinstance(hint, types.UnionType):
        return any(_is_a(value, option) for option in typing.get_args(hint))
    kind, items = typing.get_origin(hint) or hint, typing.get_args(hint)
    if kind is list:
        return isinstance(value, list) and all(_is_a(each, items[0]) for each in value)
    if kind is float:
        kind = (int, float)
    return isinstance(value, kind) and isinstance(value, bool) == (hint is bool)


def _check_text(value: Any, key: str) -> None:
    """All text can be written down: no NUL, no lone surrogate, which undecodable bytes become."""
    if isinstance(value, dict):
        for name, each in value.items():
            require(isinstance(name, str), f"{key}.{name}".lstrip("."), each, "a key that is text")
            _check_text(each, f"{key}.{name}".lstrip("."))
    elif isinstance(value, list):
        for each in value:
            _check_text(each, key)
    elif isinstance(value, str):
        writable = "\0" not in value and not any("\ud800" <= c <= "\udfff" for c in value)
        require(writable, key, value, "text in UTF-8; rename the file")


def _check_numbers(cfg: Config) -> None:
    sizes = {"size": cfg.size, "style_size": cfg.style_size}
    for key, size in sizes.items():
        require(size is None or 16 <= size <= 16384, key, size, "a longest side of 16 to 16384 px")
    for i, p in enumerate(cfg.passes):
        require(p.steps >= 1, f"passes[{i}].steps", p.steps, "1 or more")
        require(0.1 <= p.scale <= 16, f"passes[{i}].scale", p.scale, "0.1 to 16 times size")
        expected = f"a longest side of 16 to 16384 px, at size={cfg.size}"
        require(16 <= cfg.size * p.scale <= 16384, f"passes[{i}].scale", p.scale, expected)
    _check_coarse_scales(cfg)
    require(cfg.snapshot_every >= 0, "snapshot_every", cfg.snapshot_every, "0 (never) or more")
    for key, seed in (("seed", cfg.seed), ("backbone.seed", cfg.backbone.seed)):
        require(0 <= seed < 2**63, key, seed, "a whole number from 0 to 2**63 - 1")
    for name in ("content_weight", "style_weight", "tv_weight"):
        value = getattr(cfg.loss, name)
        require(0 <= value <= 1e30, f"loss.{name}", value, "a finite number, 0 to 1e30")
    init = cfg.init
    require(
        0 <= init.amplitude <= 10, "init.amplitude", init.amplitude, "0 to 10, in units of [0, 1]"
    )
    require(0 <= cfg.strength <= 1, "strength", cfg.strength, "0 to 1")
    require(0 <= init.mean <= 1, "init.mean", init.mean, "a grey from 0 to 1")
    blurred = init.kind is InitKind.smooth_noise
    sigma = 1.0 if init.sigma is None and not blurred else init.sigma or 0.0
    require(0 < sigma <= 100, "init.sigma", init.sigma, "more than 0 and at most 100 pixels")


def _check_coarse_scales(cfg: Config) -> None:
    scales, expected = cfg.coarse_scales, "auto, 1 or rising numbers below 1, as [0.25, 0.5]"
    if scales == "auto" or (scales == 1 and not isinstance(scales, bool)):
        return
    numbers = isinstance(scales, list) and all(isinstance(s, float) for s in scales)
    require(numbers, "coarse_scales", scales, expected)
    rising = all(a < b for a, b in zip([0.0, *scales], [*scales, 1.0], strict=True))
    require(rising, "coarse_scales", scales, expected)
    smallest = round(cfg.size * min(scales, default=1.0))
    require(smallest >= 16, "coarse_scales", scales, f"16 px or more at size={cfg.size}")


def _check_images(cfg: Config) -> None:
    for key, source in used_images(cfg).items():
        try:
            check_source(source)
        except InputError as error:
            raise InputError(f"{key}={error}") from None


def _check_layers(cfg: Config) -> None:
    content, style = layer_sets(cfg)
    layer_weights(cfg.loss.content_layer_weights, content, "loss.content_layer_weights")
    layer_weights(cfg.loss.style_layer_weights, style, "loss.style_layer_weights")


_OWN_KEYS: dict[str, tuple[tuple[str, ...], float, float]] = {
    "history_size": (("lbfgs",), 1, 1000),
    "initial_hessian_scale": (("lbfgs",), 0.1, 10),
    "divergence_factor": (("lbfgs", "adam", "sgd"), 1, float("inf")),
    "momentum": (("sgd",), 0, 1),
    "decay_rate": (("adam", "sgd"), 1e-6, 1),
    "decay_steps": (("adam", "sgd"), 1, float("inf")),
}
"""Keys of some optimisers only: whose they are, and the least and the largest value."""


def _check_optimizer(opt: OptimizerConfig) -> None:
    require(opt.steps >= 0, "optimizer.steps", opt.steps, "0 or more")
    require(0 < opt.lr <= 1e30, "optimizer.lr", opt.lr, "a number above 0, up to 1e30")
    for key, (owners, low, high) in _OWN_KEYS.items():
        value, name = getattr(opt, key), opt.name.name
        if name not in owners and value is not None:
            raise InputError(
                f"optimizer.{key} is for {' and '.join(owners)}, not for {name}; choose the "
                f"optimiser by optimizer={name}, or add optimizer.{key}=null"
            )
        if name in owners and value is None:
            raise InputError(
                f"optimizer.{key} is not set; choose the optimiser by optimizer={name}"
            )
        in_range = value is None or low <= value <= high
        expected = f"{low:g} or more" if high == float("inf") else f"{low:g} to {high:g}"
        require(in_range, f"optimizer.{key}", value, expected)
