"""The typed config: what every key means, which values it takes, and the checks YAML cannot make.

No torch here, so that ``--help`` and typos answer at once.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import Enum, StrEnum
from pathlib import Path
from typing import Any

from nst import layers as layer_names
from nst.errors import InputError, did_you_mean
from nst.names import check_source


class Task(StrEnum):
    transfer = "transfer"
    content = "content"
    texture = "texture"


class BackboneName(StrEnum):
    vgg19 = "vgg19"
    vgg16 = "vgg16"
    vgg19_mini = "vgg19_mini"
    squeezenet1_0 = "squeezenet1_0"


class Pooling(StrEnum):
    max = "max"
    avg = "avg"
    blur = "blur"


class ContentLoss(StrEnum):
    half_sum = "half_sum"
    sum = "sum"
    mean = "mean"
    quarter_mean = "quarter_mean"
    relative = "relative"


class StyleLoss(StrEnum):
    gatys = "gatys"
    mean = "mean"
    chollet = "chollet"
    relative = "relative"


class Reduction(StrEnum):
    sum = "sum"
    mean = "mean"


class InitKind(StrEnum):
    auto = "auto"
    noise = "noise"
    smooth_noise = "smooth_noise"
    content = "content"
    style = "style"
    image = "image"


class Distribution(StrEnum):
    normal = "normal"
    uniform = "uniform"


class OptimizerName(StrEnum):
    lbfgs = "lbfgs"
    adam = "adam"
    sgd = "sgd"


class PrecisionName(StrEnum):
    auto = "auto"
    float32 = "float32"
    bfloat16 = "bfloat16"


class LoggerName(StrEnum):
    wandb = "wandb"
    none = "none"


class StudySize(StrEnum):
    full = "full"
    quick = "quick"


class StudyLayers(StrEnum):
    published = "published"
    all = "all"


class WandbMode(StrEnum):
    offline = "offline"
    online = "online"


WEIGHTS = ("shipped", "imagenet", "random", "dictionary")

_STYLE_LAYERS = (
    *("input", "relu1_1", "relu1_2", "relu2_1", "relu2_2"),
    *("relu3_1", "relu3_3", "relu4_1", "relu4_3", "relu5_1"),
)
"""As in conf/backbone/vgg19_mini.yaml; chosen in docs/backbone.md."""


def _doc(text: str, default: Any = dataclasses.MISSING, **kw: Any) -> Any:
    return field(default=default, metadata={"doc": text}, **kw)


@dataclass
class BackboneConfig:
    name: BackboneName = _doc("which network", BackboneName.vgg19_mini)
    weights: str = _doc(
        "shipped, imagenet, random, dictionary, or the path of a state dict", "shipped"
    )
    pooling: Pooling = _doc(
        "max, avg, or blur: weighted means of 4×4, which leave hardly a grid", Pooling.blur
    )
    seed: int = _doc(
        "of random and dictionary weights; the run's own seed leaves the network alone", 0
    )
    default_content_layer: Any = _doc("what layers=default uses", "relu3_4")
    default_style_layers: Any = _doc(
        "what layers=default uses", default_factory=lambda: list(_STYLE_LAYERS)
    )
    default_style_weight: float = _doc("what loss=balanced uses", 480.0)
    default_patch_weight: float = _doc("what loss=balanced uses", 240.0)
    default_style_neighbours: float = _doc("what loss=balanced uses", 0.7)


@dataclass
class LossConfig:
    content: ContentLoss = _doc("convention of the content loss", ContentLoss.relative)
    style: StyleLoss = _doc("convention of the style loss", StyleLoss.relative)
    style_shift: float = _doc(
        "share of the style's channel means taken off features before Gram matrices; papers': 0",
        0.6,
    )
    style_neighbours: float = _doc(
        "share of a style loss for Gram matrices of positions with their neighbours; papers': 0",
        0.7,
    )
    content_weight: float = _doc("α", 1.0)
    style_weight: float = _doc("β", 480.0)
    tv_weight: float = _doc("weight of total variation, on pixels in [0, 1]", 1.0)
    patch_weight: float = _doc(
        "weight of the style's 3×3 patches of pixels, at three scales", 240.0
    )
    content_layer_weights: Any = _doc("w_l: mean (1/L each), sum (1 each) or a list", "mean")
    style_layer_weights: Any = _doc("w_l: mean (1/L each), sum (1 each) or a list", "mean")
    tv_beta: float = _doc("exponent of total variation: Σ (a² + b²)^(β/2)", 2.0)
    tv_reduction: Reduction = _doc("sum or mean over the pixels", Reduction.mean)


@dataclass
class InitConfig:
    kind: InitKind = _doc("what the start image is", InitKind.auto)
    scale: float = _doc("spread of the noise, in units of [0, 1]", 0.05)
    mean: float = _doc("grey that noise is spread around", 0.5)
    distribution: Distribution = _doc(
        "normal (spread = std) or uniform (± spread)", Distribution.normal
    )
    sigma: float = _doc("blur of smooth_noise, in pixels", 2.0)
    image: str | None = _doc("path or sample, for init=image", None)


@dataclass
class OptimizerConfig:
    name: OptimizerName = _doc("which optimiser", OptimizerName.lbfgs)
    steps: int = _doc("updates of the image; one evaluation each", 300)
    lr: float = _doc("step length (lbfgs), learning rate on pixels in [0, 1] (adam, sgd)", 1.0)
    clamp: bool = _doc("bring the image back into [0, 1] after every step", True)
    history_size: int | None = _doc("lbfgs: pairs kept; memory is twice as many images", None)
    scaling: float | None = _doc("lbfgs: of steps in directions not yet known; torch's is 1", None)
    guard: float | None = _doc("lbfgs: back to the best image above this many times its loss", None)
    momentum: float | None = _doc("sgd", None)
    decay_rate: float | None = _doc("adam, sgd: lr · decay_rate^(step / decay_steps)", None)
    decay_steps: int | None = _doc("adam, sgd", None)


@dataclass
class LoggerConfig:
    name: LoggerName = _doc("wandb or none", LoggerName.wandb)
    mode: WandbMode = _doc("offline (into the run's folder) or online (uploads)", WandbMode.offline)
    project: str = _doc("W&B project", "nst")
    entity: str | None = _doc("W&B user or team; null for your default", None)
    group: str | None = _doc("W&B group; null: the sweep's folder, none for a single run", None)
    tags: list[str] = _doc("W&B tags", default_factory=list)


@dataclass
class StudyConfig:
    name: str | None = _doc("set by study=NAME", None)
    size: StudySize = _doc("full, as published, or quick: minutes on two cores", StudySize.full)
    layers: StudyLayers = _doc(
        "published, or all: every convolution and input", StudyLayers.published
    )
    sweep: dict[str, Any] = _doc(
        "{size: {key: values}}; a key given on the command line replaces it", default_factory=dict
    )


@dataclass
class PassConfig:
    scale: float = _doc("longest side relative to size")
    steps: int = _doc("updates")


@dataclass
class Config:
    task: Task = _doc("transfer, content (reconstruction) or texture (synthesis)", Task.transfer)
    content: str = _doc("content image: a path or a sample", "astronaut")
    style: str = _doc("style image: a path or a sample", "mosaic")
    size: int = _doc("longest side of every image, in pixels", 512)
    style_size: int | None = _doc("the same for the style image; null: size", None)
    content_layer: Any = _doc("a layer's name or a list", "relu3_4")
    style_layers: Any = _doc(
        "a layer's name or a list", default_factory=lambda: list(_STYLE_LAYERS)
    )
    backbone: BackboneConfig = field(default_factory=BackboneConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    init: InitConfig = field(default_factory=InitConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    passes: list[PassConfig] = _doc(
        "further passes from the enlarged result: [{scale: 1.5, steps: 100}]", default_factory=list
    )
    scales: Any = _doc(
        "sizes to begin with, relative to size, e.g. [0.25, 0.5]; 1: none; auto: for a texture "
        "from noise those of the two that leave 128 px",
        "auto",
    )
    seed: int = _doc("of the start image's noise", 0)
    device: str = _doc("auto, cpu, cuda, cuda:1, mps", "auto")
    precision: PrecisionName = _doc(
        "of the backbone; auto: bfloat16 where the device is fast at it and it does no harm",
        PrecisionName.auto,
    )
    checkpoint: Any = _doc(
        "compute large blocks twice, for less memory and up to a third more time: true, false, or "
        "auto: where memory is short",
        "auto",
    )
    snapshot_every: int = _doc("save the image every so many steps; 0: never", 0)
    logger: LoggerConfig = field(default_factory=LoggerConfig)
    study: StudyConfig = field(default_factory=StudyConfig)
    report: bool = _doc("write report.html when a sweep ends", True)


GROUPS: dict[str, str] = {
    "backbone": "the frozen network",
    "layers": "named layer sets; fills content_layer and style_layers",
    "loss": "loss conventions and weights",
    "init": "the start image",
    "optimizer": "how the pixels move",
    "logger": "where metrics go besides the run's folder",
    "preset": "published recipes, whole",
    "study": "sweeps that answer a question of the literature, each with its report",
}
"""Config groups, each a folder of ``conf/``, and what they choose."""


def from_omegaconf(composed: Any) -> Config:
    """A composed config as plain dataclasses, every interpolation resolved, checked.

    Raises:
        InputError: a value that cannot work; see :func:`check`.
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        container = OmegaConf.to_container(composed, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        raise InputError(str(error).splitlines()[0]) from error
    cfg = _build(Config, container)
    check(cfg)
    return typing.cast(Config, cfg)


def _build(kind: type, values: Any) -> Any:
    """Nested dictionaries → nested dataclasses, strings → enum members."""
    if isinstance(values, Mapping) and dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        for key in values:
            if key not in hints:
                raise InputError(f"unknown key {key!r}{did_you_mean(str(key), hints)}")
        return kind(**{str(k): _build(hints[str(k)], v) for k, v in values.items()})
    if typing.get_origin(kind) is list and isinstance(values, list):
        (item,) = typing.get_args(kind)
        return [_build(item, v) for v in values]
    if isinstance(kind, type) and issubclass(kind, Enum) and not isinstance(values, kind):
        return kind[values]
    return values


def to_dict(cfg: Config) -> dict[str, Any]:
    """The config as JSON's types."""

    def plain(value: Any) -> Any:
        if isinstance(value, Enum):
            return value.name
        if isinstance(value, dict):
            return {k: plain(v) for k, v in value.items()}
        return [plain(v) for v in value] if isinstance(value, (list, tuple)) else value

    return typing.cast("dict[str, Any]", plain(dataclasses.asdict(cfg)))


def config_hash(cfg: Config) -> str:
    """16 hexadecimal digits that change with every setting that decides the picture.

    The logger, the study and the snapshots do not count, and pictures and weights count by name,
    not by what their files hold; ``record.json`` has the files' sha256.
    """
    values = picture_settings(cfg)
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]


def picture_settings(cfg: Config) -> dict[str, Any]:
    """The config as JSON's types, less what does not decide the picture."""
    values = to_dict(cfg)
    for key in ("logger", "snapshot_every", "study", "report"):
        del values[key]
    return values


# --- checks ------------------------------------------------------------------------------------


def check(cfg: Config) -> None:
    """Whatever types cannot say, before anything is loaded.

    Raises:
        InputError: names the key, its value, and what would be right.
    """
    _check_choices(cfg)
    _check_numbers(cfg)
    _check_images(cfg)
    _check_layers(cfg)
    _check_optimizer(cfg.optimizer)
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", cfg.device):
        raise InputError(f"device={cfg.device}: expected auto, cpu, cuda, cuda:N or mps")
    _require(
        cfg.checkpoint == "auto" or isinstance(cfg.checkpoint, bool),
        "checkpoint",
        cfg.checkpoint,
        "auto, true or false",
    )
    for tag in cfg.logger.tags:
        _require(1 <= len(tag) <= 64, "logger.tags", repr(tag), "tags of 1 to 64 characters")
    weights = cfg.backbone.weights
    if weights not in WEIGHTS and not Path(weights).expanduser().is_file():
        hint = did_you_mean(weights, WEIGHTS)
        raise InputError(
            f"backbone.weights={weights}: no such file{hint} "
            f"(expected {', '.join(WEIGHTS)} or the path of a state dict)"
        )


def _require(ok: bool, key: str, value: Any, expected: str) -> None:
    if not ok:
        raise InputError(f"{key}={value}: expected {expected}")


def _check_numbers(cfg: Config) -> None:
    sizes = {"size": cfg.size, "style_size": cfg.style_size}
    for key, size in sizes.items():
        _require(size is None or 16 <= size <= 16384, key, size, "a longest side of 16 to 16384 px")
    for i, p in enumerate(cfg.passes):
        _require(p.steps >= 0, f"passes[{i}].steps", p.steps, "0 or more")
        _require(0.1 <= p.scale <= 16, f"passes[{i}].scale", p.scale, "0.1 to 16 times size")
    _check_scales(cfg)
    _require(cfg.snapshot_every >= 0, "snapshot_every", cfg.snapshot_every, "0 (never) or more")
    for name in ("seed", "backbone.seed"):
        value = cfg.seed if name == "seed" else cfg.backbone.seed
        _require(0 <= value < 2**63, name, value, "a whole number from 0 up")
    for name in ("content_weight", "style_weight", "tv_weight", "patch_weight"):
        value = getattr(cfg.loss, name)
        _require(0 <= value < float("inf"), f"loss.{name}", value, "a finite number, 0 or more")
    for name in ("style_shift", "style_neighbours"):
        value = getattr(cfg.loss, name)
        _require(0 <= value <= 1, f"loss.{name}", value, "0 to 1")
    _require(1 <= cfg.loss.tv_beta <= 4, "loss.tv_beta", cfg.loss.tv_beta, "1 to 4")
    _require(0 <= cfg.init.scale <= 10, "init.scale", cfg.init.scale, "0 to 10, in units of [0, 1]")
    _require(0 <= cfg.init.mean <= 1, "init.mean", cfg.init.mean, "a grey from 0 to 1")
    _require(0 < cfg.init.sigma <= 100, "init.sigma", cfg.init.sigma, "0 to 100 pixels")


def _check_scales(cfg: Config) -> None:
    scales, expected = cfg.scales, "auto, 1 or rising numbers below 1, as [0.25, 0.5]"
    if scales == "auto" or (scales == 1 and not isinstance(scales, bool)):
        return
    numbers = isinstance(scales, list) and all(isinstance(s, float) for s in scales)
    _require(numbers, "scales", scales, expected)
    rising = all(a < b for a, b in zip([0.0, *scales], [*scales, 1.0], strict=True))
    _require(rising, "scales", scales, expected)
    smallest = round(cfg.size * min(scales, default=1.0))
    _require(smallest >= 16, "scales", scales, f"16 px or more at size={cfg.size}")


def start_kind(cfg: Config) -> InitKind:
    """What the start image is, ``auto`` resolved: content for a transfer, noise for the rest."""
    if cfg.init.kind is not InitKind.auto:
        return cfg.init.kind
    return InitKind.content if cfg.task is Task.transfer else InitKind.noise


def used_images(cfg: Config) -> dict[str, str]:
    """{key: path or sample} of the pictures that the run needs."""
    used: dict[str, str] = {}
    if cfg.task is not Task.texture or cfg.init.kind is InitKind.content:
        used["content"] = cfg.content
    if cfg.task is not Task.content or cfg.init.kind is InitKind.style:
        used["style"] = cfg.style
    if cfg.init.kind is InitKind.image:
        _require(cfg.init.image is not None, "init.image", None, "a path or a sample's name")
        used["init.image"] = str(cfg.init.image)
    return used


def _check_images(cfg: Config) -> None:
    for key, source in used_images(cfg).items():
        try:
            check_source(source)
        except InputError as error:
            raise InputError(f"{key}={error}") from None


def _check_choices(node: Any, prefix: str = "") -> None:
    """Strings where a Python caller may put them become enum members."""
    hints = typing.get_type_hints(type(node))
    for item in fields(node):
        hint, value = hints[item.name], getattr(node, item.name)
        if dataclasses.is_dataclass(value):
            _check_choices(value, f"{prefix}{item.name}.")
        elif isinstance(hint, type) and issubclass(hint, Enum) and not isinstance(value, hint):
            choices = hint.__members__
            _require(value in choices, prefix + item.name, value, f"one of {', '.join(choices)}")
            setattr(node, item.name, choices[value])


def _check_layers(cfg: Config) -> None:
    content, style = layer_sets(cfg)
    layer_weights(cfg.loss.content_layer_weights, content, "loss.content_layer_weights")
    layer_weights(cfg.loss.style_layer_weights, style, "loss.style_layer_weights")


def layer_sets(cfg: Config) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Canonical content and style layers that the task needs; what it does not need is empty."""
    found: list[tuple[str, ...]] = []
    for key, task in (("content_layer", Task.texture), ("style_layers", Task.content)):
        if cfg.task is task:
            found.append(())
            continue
        names = getattr(cfg, key)
        listed = isinstance(names, list) and all(isinstance(n, str) for n in names)
        _require(listed or isinstance(names, str), key, names, "a layer's name or a list of names")
        try:
            found.append(layer_names.resolve(names, cfg.backbone.name.name))
        except InputError as error:
            raise InputError(f"{key}: {error}") from None
    return found[0], found[1]


def layer_weights(weights: Any, layers: Sequence[str], key: str) -> dict[str, float]:
    """{layer: w_l} from ``mean``, ``sum`` or a list as long as the layers."""
    if weights == "mean":
        return {layer: 1.0 / len(layers) for layer in layers}
    if weights == "sum":
        return dict.fromkeys(layers, 1.0)
    numbers = isinstance(weights, list) and all(
        isinstance(w, (int, float)) and not isinstance(w, bool) and 0 <= w < float("inf")
        for w in weights
    )
    _require(numbers, key, weights, "mean, sum or a list of weights, 0 or more")
    if layers and len(weights) != len(layers):
        raise InputError(
            f"{key} has {len(weights)} weights for {len(layers)} layers ({', '.join(layers)}); "
            "give one each, or mean or sum"
        )
    return {layer: float(w) for layer, w in zip(layers, weights, strict=False)}


_ONLY_FOR = {
    "history_size": ("lbfgs",),
    "scaling": ("lbfgs",),
    "guard": ("lbfgs",),
    "momentum": ("sgd",),
    "decay_rate": ("adam", "sgd"),
    "decay_steps": ("adam", "sgd"),
}


def _check_optimizer(opt: OptimizerConfig) -> None:
    _require(opt.steps >= 0, "optimizer.steps", opt.steps, "0 or more")
    _require(0 < opt.lr < float("inf"), "optimizer.lr", opt.lr, "a number above 0")
    for key, owners in _ONLY_FOR.items():
        if getattr(opt, key) is not None and opt.name.name not in owners:
            raise InputError(
                f"optimizer.{key} is for {' and '.join(owners)}, not for {opt.name.name}; "
                f"leave it out, or add optimizer.{key}=null where a preset sets it"
            )
    bounds = {
        "history_size": (1, 1000),
        "scaling": (0.1, 10),
        "guard": (1, float("inf")),
        "momentum": (0, 1),
        "decay_rate": (1e-6, 1),
        "decay_steps": (1, float("inf")),
    }
    for key, (low, high) in bounds.items():
        value = getattr(opt, key)
        ok = value is None or low <= value <= high
        _require(ok, f"optimizer.{key}", value, f"{low:g} to {high:g}")


# --- documentation of the keys -----------------------------------------------------------------


def documented_keys(kind: type = Config, prefix: str = "") -> dict[str, str]:
    """Every key of the config with what it means and the values it takes."""
    hints = typing.get_type_hints(kind)
    found: dict[str, str] = {}
    for item in fields(kind):
        hint = hints[item.name]
        if dataclasses.is_dataclass(hint):
            found |= documented_keys(typing.cast(type, hint), f"{prefix}{item.name}.")
        else:
            found[prefix + item.name] = f"{item.metadata.get('doc', '')}{_choices(hint)}"
    return found


def _choices(hint: Any) -> str:
    if isinstance(hint, type) and issubclass(hint, Enum):
        return f" [{', '.join(hint.__members__)}]"
    names = {int: "int", float: "float", bool: "true/false"}
    options = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    return "".join(f" [{names[option]}]" for option in options if option in names)
