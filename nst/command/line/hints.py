"""What other programs call our keys: ours for theirs, with the value carried over.

The names are those of the options of jcjohnson/neural-style, ProGamerGov/neural-style-pt,
anishathalye/neural-style, cysmith/neural-style-tf, gordicaleksa/pytorch-neural-style-transfer,
crowsonkb/style-transfer-pytorch, Gatys's notebook, the tutorials of PyTorch, TensorFlow and Keras,
and PyTorch's fast_neural_style.
"""

from __future__ import annotations

import difflib
import functools
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass

from nst.command.line.choices import as_choice, choices, meant_by
from nst.command.line.repeat import KEY
from nst.config import GROUPS, documented_keys


@dataclass(frozen=True)
class Hint:
    """The answer to a key that is not ours.

    Attributes:
        write: what to write for it, as ``optimizer.steps=500``; empty where there is nothing
        note: what to know besides, or why there is nothing; may be empty
    """

    write: str
    note: str = ""

    def __str__(self) -> str:
        if not self.write:
            return f": {self.note}"
        return f"; did you mean {self.write}?" + (f" ({self.note})" if self.note else "")


_CALLED = {
    "content": "content_image content_img content_img_name content_image_path content_path "
    "content_file base_image base_image_path image img input input_image photo photograph",
    "style": "style_image style_images style_img style_imgs style_img_name style_image_path "
    "style_path style_file styles style_reference_image style_reference_image_path painting",
    "size": "image_size img_size im_size imsize max_size max_dim max_image_size width height "
    "img_width img_height img_nrows resolution longest_side output_size content_size end_scale",
    "style_size": "style_image_size style_img_size",
    "output": "output_image output_img output_file output_path out out_file out_path img_name "
    "save_path result_path filename",
    "optimizer.steps": "iterations iteration iters iter n_iter n_iters num_iter num_iters max_iter "
    "max_iters num_iterations n_iterations max_iterations num_steps n_steps max_steps total_steps "
    "optimization_steps",
    "optimizer.lr": "learning_rate step_size alpha_lr",
    "optimizer.history_size": "lbfgs_num_correction num_correction lbfgs_history",
    "optimizer": "optim solver",
    "loss.content_weight": "alpha content_w content_coef content_loss_weight content_importance",
    "loss.style_weight": "beta style_w style_coef style_loss_weight style_importance",
    "loss.tv_weight": "tv total_variation total_variation_weight variation_weight smoothness "
    "smoothing_weight tv_loss_weight tv_weight_1 tv_weight_2",
    "loss.style": "style_loss style_loss_function",
    "loss.content": "content_loss content_loss_function",
    "strength": "style_strength style_intensity stylization style_amount style_ratio style_degree",
    "init": "kind init_method init_type init_img_type initialization start start_from",
    "init.amplitude": "init.scale noise_ratio initial_noiseblend noise_level noise_strength noise",
    "content_layer": "layer content_feature_layer",
    "style_layers": "style_feature_layers",
    "seed": "random_seed manual_seed rng_seed",
    "threads": "num_threads n_threads num_workers workers cpu_threads torch_threads",
    "snapshot_every": "save_iter save_every save_freq saving_freq save_interval save_step "
    "checkpoint_iterations display_interval",
    "hydra.run.dir": "output_dir out_dir outdir output_folder output_img_dir img_output_dir "
    "save_dir save_folder result_dir results_dir dump_path run_dir",
    "logger.project": "wandb_project project_name",
    "logger.mode": "wandb_mode",
    "precision": "dtype",
    "gradient_checkpointing": "grad_checkpoint activation_checkpointing",
    "hydra/launcher": "launcher",
    "hydra/sweeper": "sweeper",
    "hydra.launcher.max_batch": "max_batch",
}
"""Our keys, and what others call them; the value is carried over as it is."""


def _on(value: str) -> bool:
    return value.lower() not in ("0", "false", "no", "off", "none", "null", "-1", "cpu", "c")


def _network(value: str) -> Hint:
    if value in choices()["backbone"]:
        return Hint(f"backbone={value}")
    write = meant_by("backbone", value)
    return Hint(write) if write else Hint("backbone", f"one of {', '.join(choices()['backbone'])}")


def _gpu(value: str) -> Hint:
    """The index of a card; neural-style's -1 and neural-style-pt's c are the CPU."""
    if not _on(value) and value != "0":
        return Hint("device=cpu")
    number = re.match(r"(?:cuda:)?(\d+)", value)
    return Hint(f"device=cuda:{number[1]}" if number else "device=cuda")


def _init_image(value: str) -> Hint:
    return Hint(f"init=image init.image={value or 'FILE'}")


def _batch(value: str) -> Hint:
    write = f"-m hydra/launcher=batched hydra.launcher.max_batch={value or 8}"
    return Hint(write, "so many runs of a sweep at once; one run is one picture")


def _pooling(value: str) -> Hint:
    write = meant_by("backbone", value) or ""
    known = write.startswith("backbone.pooling=")
    return Hint(write) if known else Hint("backbone.pooling", "max, avg or blur")


def _layers(key: str) -> Callable[[str], Hint]:
    """Layers as a list where there are several."""

    def hint(value: str) -> Hint:
        is_list = "," in value and not value.startswith("[")
        return Hint(_override(key, f"[{value}]" if is_list else value))

    return hint


_COLORS = "no key keeps the content's colours; docs/for-artists.md says what to do instead"
_BLEND = "a run has one style, without blends; add -m and style=a.jpg,b.jpg for a run of each"
_MASK = "no key takes a mask; docs/for-artists.md says what to do instead"
_FRAMES = "a run makes one picture, no video; frames are runs of a sweep, -m content=a.png,b.png"
_TORCH = "torch chooses this itself; device=cuda or device=cpu says where to compute"
_TRACE = "every step is in the run's trace.csv; snapshot_every=N saves the image every N steps"
_NOWHERE = {
    _COLORS: "original_colors original_colours preserve_colors preserve_color preserve_colours "
    "keep_colors keep_color keep_colours color_convert_type color_control luminance_only",
    _BLEND: "style_blend_weights style_img_weights style_imgs_weights style_weights "
    "style_interpolation_weights blend",
    _MASK: "mask masks style_mask style_mask_imgs content_mask style_seg content_seg",
    _FRAMES: "video fps frames start_frame end_frame video_input_dir frame_iterations",
    _TORCH: "backend cudnn cudnn_autotune multigpu_strategy multidevice_strategy",
    _TRACE: "print_iter print_iterations print_every log_every log_interval show_iter",
}
"""What others have and we do not, by what to say of it."""

_BY_VALUE: dict[str, Callable[[str], Hint]] = {
    **dict.fromkeys(("model", "network", "net", "arch", "architecture", "cnn", "vgg"), _network),
    **dict.fromkeys(("encoder", "feature_extractor", "model_name", "base_model"), _network),
    **dict.fromkeys(("gpu", "gpus", "gpu_id", "gpu_ids", "cuda_device"), _gpu),
    **dict.fromkeys(("initial", "init_image", "initial_image", "init_img"), _init_image),
    **dict.fromkeys(("batch_size", "batch", "batchsize"), _batch),
    **dict.fromkeys(("pool", "pooling", "pooling_type"), _pooling),
    **dict.fromkeys(("cuda", "use_cuda", "use_gpu"), lambda v: _switch(v, "device", "cuda", "cpu")),
    **dict.fromkeys(("no_cuda", "no_gpu", "cpu"), lambda v: _switch(v, "device", "cpu", "cuda")),
    **dict.fromkeys(
        ("fp16", "half", "amp", "mixed_precision", "bf16"),
        lambda v: _switch(v, "precision", "bfloat16", "float32"),
    ),
    **dict.fromkeys(("wandb", "use_wandb"), lambda v: _switch(v, "logger", "wandb", "none")),
    "no_wandb": lambda v: _switch(v, "logger", "none", "wandb"),
    "offline": lambda v: _switch(v, "logger.mode", "offline", "online"),
    "debug": lambda v: _switch(v, "hydra.verbose", "true", "false"),
    **dict.fromkeys(
        ("model_file", "model_path", "model_weights", "vgg_path", "pretrained"),
        lambda v: Hint(_override("backbone.weights", v)),
    ),
    "proto_file": lambda v: _network(""),
    **dict.fromkeys(("content_layer", "content_layers"), _layers("content_layer")),
    **dict.fromkeys(("style_layer", "style_layers"), _layers("style_layers")),
    "epochs": lambda v: Hint("optimizer.steps", "one picture is optimised, in steps"),
    "num_epochs": lambda v: Hint("optimizer.steps", "one picture is optimised, in steps"),
    "style_scale": lambda v: Hint("style_size", "the longest side of the style, in pixels"),
    "style_scales": lambda v: Hint("style_size", "the longest side of the style, in pixels"),
    "style_scale_fac": lambda v: Hint("style_size", "the longest side of the style, in pixels"),
    "min_scale": lambda v: Hint("coarse_scales", "fractions of size, as [0.25,0.5]"),
    **dict.fromkeys(("multirun", "sweep"), lambda v: Hint("-m", "a run of each of key=a,b")),
}
"""What decides by its value which key it is here, or how to write it."""


def _switch(value: str, key: str, on: str, off: str) -> Hint:
    return Hint(f"{key}={on if _on(value) else off}")


def hint(name: str, value: str) -> Hint | None:
    """Our key for another name, where that is certain: another program's, or the end of ours.

    Args:
        name: as it was written; dashes and dots may stand for underscores
        value: as it was written, empty where there is none

    >>> str(hint("steps", "500")), str(hint("gpu", "0")), str(hint("net.lr", ""))
    ('; did you mean optimizer.steps=500?', '; did you mean device=cuda:0?', \
'; did you mean optimizer.lr?')
    """
    last = re.split(r"[.]", name)[-1]
    for candidate in dict.fromkeys((name, last)):
        answer = _answers().get(_squashed(candidate))
        if answer is not None:
            return answer(value)
    return None


@functools.cache
def _answers() -> dict[str, Callable[[str], Hint]]:
    """{a name without marks: the answer to it}; what stands later counts for more."""

    def carried(key: str) -> Callable[[str], Hint]:
        return lambda value: Hint(_override(key, value))

    def nowhere(note: str) -> Callable[[str], Hint]:
        return lambda value: Hint("", note)

    keys = documented_keys()
    ends = [key.rpartition(".")[2] for key in keys]
    named: dict[str, Callable[[str], Hint]] = {
        end: carried(key) for key, end in zip(keys, ends, strict=True) if ends.count(end) == 1
    }
    named |= {key: carried(key) for key in (*keys, *GROUPS)}
    for key, names in _CALLED.items():
        named |= dict.fromkeys(names.split(), carried(key))
    for note, names in _NOWHERE.items():
        named |= dict.fromkeys(names.split(), nowhere(note))
    named |= _BY_VALUE
    return {_squashed(name): answer for name, answer in named.items()}


def close(name: str) -> str:
    """``; did you mean KEY?`` for the key that a name is nearest to, or an empty string.

    A name is compared with whole keys, with their last parts, and with what others call them.

    >>> close("optimizer.step"), close("stpes"), close("num_iteration"), close("nothing_like_it")
    ('; did you mean optimizer.steps?', '; did you mean optimizer.steps?', \
'; did you mean optimizer.steps?', '')
    """
    keys = (*documented_keys(), *GROUPS, KEY)
    found = [(_likeness(name, key), key) for key in keys if _likeness(name, key) >= 0.6]
    last = name.rpartition(".")[2]
    ends = ((_likeness(last, key.rpartition(".")[2]), key) for key in keys)
    found += [(likeness, key) for likeness, key in ends if likeness >= 0.75]
    squashed = _squashed(last)
    for key, names in _CALLED.items():
        theirs = max(_likeness(squashed, _squashed(other)) for other in names.split())
        if theirs >= 0.85:
            found.append((theirs, key))
    if not found:
        return ""
    best = max(likeness for likeness, _ in found)
    return f"; did you mean {next(key for likeness, key in found if likeness == best)}?"


def value_hint(name: str, value: str) -> str:
    """``; did you mean KEY=VALUE?`` for a value of the wrong type that can be told all the same.

    >>> value_hint("size", "640x480"), value_hint("size", "512px"), value_hint("strength", "50%")
    ('; did you mean size=640?', '; did you mean size=512?', '; did you mean strength=0.5?')
    """
    key = documented_keys().get(name)
    expected = key.expected if key else ""
    sides = re.fullmatch(r"(\d{1,9})\s*[x×*]\s*(\d{1,9})", value)
    unit = re.fullmatch(r"(\d{1,9}(?:\.\d+)?)\s*(px|pixels|%|steps)", value, re.I)
    meant = ""
    if sides and name in ("size", "style_size"):
        meant = f"{name}={max(map(int, sides.groups()))}"
    elif unit and "number" in expected:
        number = float(unit[1]) / (100 if unit[2] == "%" else 1)
        meant = f"{name}={number:g}"
    elif expected.startswith("a whole number") and re.fullmatch(r"\d{1,9}(\.\d*)?(e\+?\d)?", value):
        meant = f"{name}={float(value):.0f}"
    else:
        meant = as_choice(value) or ""
    return f"; did you mean {meant}?" if meant else ""


def _likeness(one: str, other: str) -> float:
    return difflib.SequenceMatcher(None, other, one).ratio()


def _squashed(name: str) -> str:
    """A name without case and marks: ``--image-size``, ``imageSize`` and ``image_size`` are one."""
    return re.sub(r"[-_.]", "", name.lower())


def _override(key: str, value: str) -> str:
    return shlex.quote(f"{key}={value}") if value else key
