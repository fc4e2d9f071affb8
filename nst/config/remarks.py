"""What a command line says in vain: settings that decide nothing."""

from __future__ import annotations

from collections.abc import Sequence

from nst.config.derived import start_kind, used_images
from nst.config.schema import Config, InitKind, LoggerName, Task
from nst.config.strength import decides


def remarks(cfg: Config, overrides: Sequence[str]) -> list[str]:
    """The overrides of a run that change nothing, each with the reason.

    Args:
        cfg: checked
        overrides: as on the command line, for what a recipe says in vain is nobody's mistake
    """
    given = [override.partition("=")[0].lstrip("+~") for override in overrides]
    said = []
    for keys, reason in _idle(cfg, "loss.style_weight" in given).items():
        named = [name for name in given if f"{name}.".startswith(tuple(f"{key}." for key in keys))]
        if named:
            verb = "decides" if len(named) == 1 else "decide"
            said.append(f"{' and '.join(named)} {verb} nothing here: {reason}")
    return said


def _idle(cfg: Config, weight_given: bool) -> dict[tuple[str, ...], str]:
    """{keys that decide nothing in this run: why}; whether a style weight stands beside them."""
    used, idle = used_images(cfg), dict[tuple[str, ...], str]()
    if cfg.task is Task.content:
        idle[_of_style("style" in used)] = "task=content has no style"
    if cfg.task is Task.texture:
        idle[_of_content("content" in used)] = "task=texture has no content"
    if cfg.task is not Task.transfer:
        idle["strength",] = f"task={cfg.task.name} has no content and style to choose between"
    elif weight_given or not decides(cfg):
        weight = f"loss.style_weight is {cfg.loss.style_weight:g}"
        idle["strength",] = f"it chooses the style weight of loss=balanced; here {weight}"
    if start_kind(cfg) is not InitKind.image:
        idle["init.image",] = f"the start is {start_kind(cfg)}; choose init=image"
    if start_kind(cfg) is not InitKind.smooth_noise:
        idle["init.sigma",] = f"the start is {start_kind(cfg)}; choose init=smooth_noise"
    if cfg.backbone.weights not in ("random", "kmeans"):
        idle["backbone.seed",] = f"backbone.weights={cfg.backbone.weights} are not drawn"
    if cfg.logger.name is LoggerName.none:
        idle[_LOGGING] = "nothing is logged; choose logger=wandb"
    steps = cfg.optimizer.steps + sum(each.steps for each in cfg.passes)
    if cfg.snapshot_every > steps:
        idle["snapshot_every",] = f"the run has {steps} steps"
    return idle


_LOGGING = tuple(f"logger.{key}" for key in ("mode", "project", "entity", "group", "tags"))


def _of_style(is_start: bool) -> tuple[str, ...]:
    """Keys of the style; its picture counts where it is the start."""
    keys = ("style_layers", "loss.style", "loss.style_weight", "loss.style_layer_weights")
    return keys if is_start else (*keys, "style", "style_size")


def _of_content(is_start: bool) -> tuple[str, ...]:
    """Keys of the content; its picture counts where it is the start."""
    keys = ("content_layer", "loss.content", "loss.content_weight", "loss.content_layer_weights")
    return keys if is_start else (*keys, "content")
