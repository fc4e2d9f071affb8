"""The typed config: what every key means and which values it takes. No torch here.

The defaults are neutral: no recipe's numbers stand here, recipes are YAML under ``conf/``. What a
recipe has to set is ``MISSING``; :func:`nst.compose` makes whole configs.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from omegaconf import MISSING


class Task(StrEnum):
    transfer = "transfer"
    content = "content"
    texture = "texture"


class BackboneName(StrEnum):
    vgg19 = "vgg19"
    vgg16 = "vgg16"
    vgg16_mini = "vgg16_mini"
    vgg19_mini = "vgg19_mini"
    squeezenet1_0 = "squeezenet1_0"


class Pooling(StrEnum):
    max = "max"
    avg = "avg"
    blur = "blur"


class PixelFormat(StrEnum):
    auto = "auto"
    imagenet = "imagenet"
    caffe = "caffe"


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


class StudySetting(StrEnum):
    published = "published"
    free = "free"


class WandbMode(StrEnum):
    offline = "offline"
    online = "online"
    disabled = "disabled"


WEIGHTS = ("shipped", "imagenet", "caffe", "random", "kmeans")
"""Weights of a backbone by name; anything else is a path."""


def _doc(
    text: str, default: Any = dataclasses.MISSING, *, decides_picture: bool = True, **kw: Any
) -> Any:
    """A field with its help text; ``decides_picture`` is False for keys about recording."""
    metadata = {"doc": text, "decides_picture": decides_picture}
    return field(default=default, metadata=metadata, **kw)


@dataclass
class BackboneConfig:
    name: BackboneName = _doc("Which network sees the images.", MISSING)
    weights: str = _doc(
        "Where its weights come from: shipped (with the package), imagenet (torchvision's "
        "download), caffe (the original VGGs, whose features are far larger; a download), kmeans "
        "(filters clustered from patches, no training), random, or the path of a state dict.",
        MISSING,
    )
    input: PixelFormat = _doc(
        "How the weights want their pixels: imagenet (RGB in [0, 1], less ImageNet's mean, over "
        "its standard deviation), caffe (BGR, 0–255, less the mean; say so for a file of that "
        "kind), or auto: caffe with backbone.weights=caffe, else imagenet.",
        PixelFormat.auto,
    )
    normalize_activations: bool = _doc(
        "Multiply channels so that each one's mean activation over the bundled pictures is 1; the "
        "network computes the same up to these factors (Gatys et al. 2016). random and kmeans "
        "weights, and those of vgg19_mini, are about so anyway.",
        False,
    )
    pooling: Pooling = _doc(
        "How feature maps are halved: max, avg, or blur (means of 4×4 with factors 1 3 3 1, which "
        "leave hardly a grid in smooth parts).",
        MISSING,
    )
    seed: int = _doc("Seed of random and kmeans weights; independent of the run's seed.", 0)
    default_content_layer: Any = _doc("The content layer that layers=default uses.", MISSING)
    default_style_layers: Any = _doc("The style layers that layers=default uses.", MISSING)
    default_style_weight: float = _doc(
        "The style weight of textures, and of strength=1, with loss=balanced.", MISSING
    )
    strength_weights: list[float] = _doc(
        "The style weights that strength=0.25, 0.5 and 0.75 stand for with loss=balanced.", MISSING
    )
    default_shifted_gram_share: float = _doc(
        "The shifted_gram_share that loss=balanced uses.", MISSING
    )


@dataclass
class LossConfig:
    content: Any = _doc(
        "The content loss, by name or as {name: …, option: …}; its options are keys below it, as "
        "loss.content.normalization.",
        default_factory=lambda: {"name": "features"},
    )
    style: Any = _doc(
        "The style loss, by name or as {name: …, option: …}; its options are keys below it, as "
        "loss.style.activation_shift.",
        default_factory=lambda: {"name": "gram"},
    )
    content_weight: float = _doc("Weight α of the content loss.", 1.0)
    style_weight: float = _doc("Weight β of the style loss: more of it makes more style.", 1.0)
    tv_weight: float = _doc("Weight of total variation, which smooths; on pixels in [0, 1].", 0.0)
    pixels: dict[str, Any] = _doc(
        "Losses on the pixels themselves, as {pixel_statistics: {weight: 30}}; options of total "
        "variation are under loss.pixels.tv.",
        default_factory=dict,
    )
    content_layer_weights: Any = _doc(
        "Weights w_l of the content layers: sum (1 each), mean (1/L each) or a list.", "sum"
    )
    style_layer_weights: Any = _doc(
        "Weights w_l of the style layers: sum (1 each), mean (1/L each) or a list.", "sum"
    )


@dataclass
class InitConfig:
    kind: InitKind = _doc("What the optimisation starts from.", MISSING)
    amplitude: float = _doc("Spread of the start's noise, in units of [0, 1]; 0: none.", 0.0)
    mean: float = _doc("Grey that the noise is spread around, 0 to 1.", 0.5)
    distribution: Distribution = _doc(
        "normal (the amplitude is the standard deviation) or uniform (± amplitude).",
        Distribution.normal,
    )
    sigma: float | None = _doc("Blur of init=smooth_noise, in pixels.", None)
    image: str | None = _doc("Path or sample of init=image.", None)


@dataclass
class OptimizerConfig:
    name: OptimizerName = _doc("Which optimiser moves the pixels.", MISSING)
    steps: int = _doc("Updates of the image; each costs one evaluation of the network.", MISSING)
    default_steps: dict[str, int] = _doc(
        "lbfgs: the steps of each task, where optimizer.steps is not set.", default_factory=dict
    )
    lr: float = _doc(
        "Step length (lbfgs: 1) or learning rate on pixels in [0, 1] (adam, sgd).", MISSING
    )
    clamp: bool = _doc("Bring the image back into [0, 1] after every step.", False)
    history_size: int | None = _doc(
        "lbfgs: steps it remembers; memory grows by two images for each.", None
    )
    initial_hessian_scale: float | None = _doc(
        "lbfgs: the initial inverse Hessian is this many times sᵀy/yᵀy; torch's L-BFGS has 1, more "
        "takes longer steps in directions it has not seen.",
        None,
    )
    divergence_factor: float | None = _doc(
        "Go back to the best image, and on with shorter steps, when the loss exceeds this many "
        "times the lowest (adam, sgd: and the start's).",
        None,
    )
    momentum: float | None = _doc("sgd: momentum, 0 to 1.", None)
    decay_rate: float | None = _doc(
        "adam, sgd: the learning rate is multiplied by this every decay_steps.", None
    )
    decay_steps: int | None = _doc("adam, sgd: steps between two decays.", None)


@dataclass
class LoggerConfig:
    name: LoggerName = _doc("Where metrics go besides the run's folder.", LoggerName.none)
    mode: WandbMode = _doc(
        "offline logs into the run's folder, online uploads at once, disabled writes nothing; "
        "without it, WANDB_MODE decides.",
        WandbMode.offline,
    )
    project: str = _doc("W&B project; without it, WANDB_PROJECT.", "nst")
    entity: str | None = _doc(
        "W&B user or team; without it, WANDB_ENTITY; null: your default.", None
    )
    group: str | None = _doc(
        "W&B group; without it, WANDB_RUN_GROUP; null: the sweep's folder, none for a single run.",
        None,
    )
    tags: list[str] = _doc("Further W&B tags; without it, WANDB_TAGS.", default_factory=list)


@dataclass
class StudyConfig:
    name: str | None = _doc("Set by study=NAME.", None)
    size: StudySize = _doc("full, as published, or quick: minutes on two cores.", StudySize.full)
    layers: StudyLayers = _doc(
        "published, or all: every convolution and the pixels.", StudyLayers.published
    )
    setting: StudySetting = _doc(
        "How the layer and seed studies optimise: published (white noise of 0.2, no total "
        "variation, one scale, as in the literature) or free (noise of 0.05, total variation of 1, "
        "textures from coarse to fine, as runs outside of a study have them).",
        StudySetting.published,
    )
    sweep: dict[str, Any] = _doc(
        "What a study sweeps, as {size: {key: values}}; a key on the command line replaces it.",
        default_factory=dict,
    )


@dataclass
class ReportConfig:
    enabled: bool = _doc(
        "Write report.html when a sweep ends; report=false is short for report.enabled=false.", True
    )
    figure_width: float = _doc(
        "Width of the report's figures in inches, 1 to 20; 3.4 is a column of a paper.", 3.4
    )
    judge: str = _doc(
        "Network that measures how much content and style the pictures have: a backbone's name, or "
        "auto: one that made none of them.",
        "auto",
    )
    judge_weights: str | None = _doc(
        "Weights of report.judge, as in backbone.weights; null: those that come with it.", None
    )


@dataclass
class PassConfig:
    scale: float = _doc("Longest side relative to size.")
    steps: int = _doc("Updates.")


@dataclass
class Config:
    task: Task = _doc(
        "transfer (content and style), content (reconstruction) or texture (synthesis).",
        Task.transfer,
    )
    content: str = _doc("Content image: a path or the name of a sample.", "astronaut")
    style: str = _doc("Style image: a path or the name of a sample.", "mosaic")
    size: int = _doc(
        "Longest side of the result, in pixels; original: that of the content (task=texture: of "
        "the style).",
        512,
    )
    strength: float = _doc(
        "How much style a transfer has, with loss=balanced: from 0, the photograph, to 1, a "
        "texture laid over its forms.",
        0.7,
    )
    style_size: int | None = _doc(
        "Longest side of the style image, in pixels; smaller makes finer strokes. null: size; "
        "original: its own.",
        None,
    )
    content_layer: Any = _doc("Layer of the content loss: a name or a list.", MISSING)
    style_layers: Any = _doc("Layers of the style loss: a name, a range or a list.", MISSING)
    backbone: BackboneConfig = field(default_factory=BackboneConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    init: InitConfig = field(default_factory=InitConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    passes: list[PassConfig] = _doc(
        "Further passes that go on from the enlarged result: [{scale: 1.5, steps: 100}].",
        default_factory=list,
    )
    coarse_scales: Any = _doc(
        "Coarse-to-fine: optimise first at these fractions of size, as [0.25,0.5]; 1 turns it off. "
        "auto: for a texture from noise, where 128 px are left; and for a transfer of 1024 px or "
        "more, halves of it down to 512 or less: optimizer.steps at the smallest, then half as "
        "many, then a quarter each.",
        "auto",
    )
    seed: int = _doc("Seed of the start's noise.", 0)
    device: str = _doc("auto, cpu, cuda, cuda:1 or mps.", "auto")
    precision: PrecisionName = _doc(
        "Number format of the network. auto: bfloat16 where the device is fast at it and the loss "
        "agrees with float32's.",
        PrecisionName.auto,
    )
    gradient_checkpointing: Any = _doc(
        "Compute large parts of the network twice to save memory, for up to a third more time: "
        "true, false, or auto (where memory is short).",
        "auto",
    )
    threads: Any = _doc(
        "Processor threads of torch: 1 or more, or auto: as many as there are cores that this "
        "process may use.",
        "auto",
        decides_picture=False,
    )
    snapshot_every: int = _doc(
        "Save the image every so many steps; 0: never.", 0, decides_picture=False
    )
    checkpoint_every: Any = _doc(
        "Save what a run needs to go on after it was killed, every so many steps; auto: about "
        "every minute, 0: only when it is interrupted.",
        "auto",
        decides_picture=False,
    )
    resume: bool = _doc(
        "Go on in the folder that hydra.run.dir (a sweep: hydra.sweep.dir) names: complete runs "
        "stay as they are, an interrupted one continues from its checkpoint.",
        False,
        decides_picture=False,
    )
    output: str | None = _doc(
        "Also save the picture as this file: PNG, JPEG or WebP by its ending, with the config "
        "within, so that repeat=FILE runs it again.",
        None,
        decides_picture=False,
    )
    verbose: bool = _doc(
        "Say everything at the end of a run: losses, similarity, what the optimiser did.",
        False,
        decides_picture=False,
    )
    logger: LoggerConfig = field(default_factory=LoggerConfig, metadata={"decides_picture": False})
    study: StudyConfig = field(default_factory=StudyConfig, metadata={"decides_picture": False})
    report: ReportConfig = field(default_factory=ReportConfig, metadata={"decides_picture": False})


GROUPS: dict[str, str] = {
    "backbone": "the frozen network",
    "layers": "named layer sets; fills content_layer and style_layers",
    "loss": "losses, their conventions and weights",
    "init": "the start image",
    "optimizer": "how the pixels move",
    "quality": "how large the picture is, and how long it takes",
    "logger": "where metrics go besides the run's folder",
    "preset": "published recipes, whole",
    "study": "sweeps that answer a question of the literature, each with its report",
}
"""Config groups, each a folder of ``conf/``, and what they choose."""

OPEN_KEYS = ("loss.content", "loss.style", "loss.pixels")
"""Keys below which each loss has its own options; see :mod:`nst.losses`."""
