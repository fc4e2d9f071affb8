"""An example of each key and choice, for ``--help``: what follows ``python run.py``."""

from __future__ import annotations

import shlex

from nst.config import GROUPS
from nst.config.keys import Key
from nst.errors import shown

_KEYS = {
    "task": "task=texture style=mosaic size=256",
    "content": "content=me.jpg style=painting.jpg",
    "style": "content=me.jpg style=painting.jpg",
    "size": "size=256",
    "strength": "-m content=chelsea style=swirl strength=0.3,0.5,0.7",
    "style_size": "-m content=coffee style=mosaic style_size=256,512,1024",
    "content_layer": "-m task=content content_layer=conv_1,conv_4,conv_8",
    "style_layers": "task=texture style=swirl style_layers=conv_1-5",
    "backbone.name": "backbone=vgg19",
    "backbone.weights": "backbone=vgg19 backbone.weights=kmeans size=256",
    "backbone.input": "backbone=vgg16 backbone.weights=caffe backbone.input=caffe",
    "backbone.pooling": "backbone.pooling=max",
    "backbone.seed": "-m backbone.weights=random backbone.seed=0,1",
    "backbone.default_content_layer": "content_layer=relu4_2",
    "backbone.default_style_layers": "style_layers=conv_1-5",
    "backbone.default_style_weight": "loss.style_weight=150",
    "backbone.default_shifted_gram_share": "loss.style.shifted_gram_share=0.7",
    "loss.content": "loss.content.normalization=mean",
    "loss.style": "loss.style=wasserstein2",
    "loss.content_weight": "loss.content_weight=2",
    "loss.style_weight": "-m content=coffee style=dabs loss.style_weight=15,50,150",
    "loss.tv_weight": "loss.tv_weight=10",
    "loss.pixels": "loss.pixels.pixel_statistics.weight=30",
    "loss.content_layer_weights": "content_layer=[conv_4,conv_8] loss.content_layer_weights=[1,3]",
    "loss.style_layer_weights": "loss.style_layer_weights=[1,1,1,2,2]",
    "init.kind": "init=noise",
    "init.amplitude": "init=noise init.amplitude=0.2",
    "init.mean": "init=noise init.mean=0.4",
    "init.distribution": "init=noise init.distribution=uniform",
    "init.sigma": "init=smooth_noise init.sigma=8",
    "init.image": "init=image init.image=me.jpg",
    "optimizer.name": "optimizer=adam",
    "optimizer.steps": "optimizer.steps=300",
    "optimizer.default_steps": "optimizer.default_steps.texture=500",
    "optimizer.lr": "optimizer=adam optimizer.lr=0.05",
    "optimizer.history_size": "optimizer.history_size=10",
    "optimizer.initial_hessian_scale": "optimizer.initial_hessian_scale=1",
    "optimizer.divergence_factor": "optimizer=adam optimizer.divergence_factor=3",
    "optimizer.momentum": "optimizer=sgd optimizer.momentum=0.9",
    "optimizer.decay_rate": "optimizer=adam optimizer.decay_rate=0.9",
    "optimizer.decay_steps": "optimizer=adam optimizer.decay_rate=0.9 optimizer.decay_steps=50",
    "passes": "'passes=[{scale: 1.5, steps: 100}]'",
    "coarse_scales": "task=texture style=waves size=256 coarse_scales=[0.5]",
    "seed": "-m init=noise seed=0,1 size=256",
    "device": "device=cpu",
    "precision": "precision=float32",
    "gradient_checkpointing": "size=1500 gradient_checkpointing=true",
    "threads": "threads=1",
    "snapshot_every": "snapshot_every=10",
    "checkpoint_every": "checkpoint_every=50",
    "resume": "hydra.run.dir=outputs/mine resume=true",
    "output": "content=me.jpg style=painting.jpg output=mine.png",
    "logger.name": "logger=none",
    "logger.mode": "logger.mode=online",
    "logger.project": "logger.project=paintings",
    "logger.entity": "logger.entity=my-team",
    "logger.group": "logger.group=first",
    "logger.tags": "'logger.tags=[mosaic, large]'",
    "study.name": "-m study=weights study.size=quick",
    "study.size": "-m study=weights study.size=quick",
    "study.layers": "-m study=layer_ablation study.layers=all",
    "study.setting": "-m study=texture_seeds study.setting=free study.size=quick",
    "study.sweep": "-m study=weights loss.style_weight=10,100",
    "report.enabled": "-m style=swirl,ink report=false",
    "report.figure_width": "-m style=swirl,ink report.figure_width=6.7",
    "report.judge": "-m style=swirl,ink report.judge=vgg19_mini",
    "report.judge_weights": "-m style=swirl,ink report.judge=vgg19 report.judge_weights=kmeans",
}
"""What cannot be guessed from a key's values."""

_CHOICES = {
    "init=image": "init=image init.image=me.jpg",
    "init=smooth_noise": "init=smooth_noise init.sigma=8",
    "layers=all": "layers=all backbone=vgg19_mini",
    "layers=deeplearning_ai": "layers=deeplearning_ai backbone=vgg19_mini",
    "layers=wide": "layers=wide backbone=vgg19_mini loss.style_weight=0.5",
}

_OPTIONS = {
    "loss.content.normalization": "mean",
    "loss.style.normalization": "mean",
    "loss.style.activation_shift": "0.3",
    "loss.style.shifted_gram_share": "0.7",
    "loss.pixels.tv.beta": "1.25",
    "loss.pixels.tv.reduction": "sum",
}

_GROUPS = {
    "backbone": "backbone=vgg19",
    "layers": "layers=gatys2015",
    "loss": "loss=wasserstein2",
    "init": "init=noise",
    "optimizer": "optimizer=adam",
    "logger": "logger=none",
    "preset": "preset=pytorch_tutorial backbone=vgg16_mini",
    "quality": "content=me.jpg style=painting.jpg quality=draft",
    "report": "-m style=swirl,ink report=false",
    "study": "-m study=layer_ablation study.size=quick",
}


def of_key(key: Key, value: object) -> str:
    """An example of a key: by hand, or the choice that is not its value, else this value.

    Args:
        key: of the config
        value: in a run without arguments
    """
    if key.name in _KEYS:
        return _KEYS[key.name]
    if key.values == "true/false":
        return f"{key.name}={shown(not value)}"
    others = [choice for choice in key.values.split(", ") if choice != value]
    return shlex.quote(f"{key.name}={others[0] if others[1:] else shown(value)}")


def of_choice(group: str, choice: str) -> str:
    """An example of a group's choice."""
    if group == "study":
        return f"-m study={choice} study.size=quick"
    return _CHOICES.get(f"{group}={choice}", f"{group}={choice}")


def of_option(name: str, default: str) -> str:
    """An example of a loss's option."""
    others = {"loss.style.ridge": " loss.style=wasserstein2"}
    return f"{name}={_OPTIONS.get(name, default)}{others.get(name, '')}"


def of_section(name: str) -> str:
    """An example of a group, or of keys that have a name in common."""
    return _GROUPS.get(name, f"{name}=CHOICE" if name in GROUPS else f"{name}.KEY=VALUE")
