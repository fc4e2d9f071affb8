"""The named choices of each group, and what somebody meant who gave a group something else."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from pathlib import Path

from nst.config import GROUPS, WEIGHTS, InitKind, Pooling, WandbMode
from nst.config.samples import PICTURE_ENDINGS, SAMPLES, existing_file

_PACKAGE = Path(__file__).resolve().parents[2]
CONF = next(folder for folder in (_PACKAGE / "conf", _PACKAGE.parent / "conf") if folder.is_dir())
"""``conf/``: inside of an installed package, beside the package in a checkout."""

_WEIGHTS_FILE = re.compile(r".*\.(pth|pt|bin|ckpt|safetensors|caffemodel|t7|mat|npz|h5)", re.I)
_LAYER = re.compile(r"(conv|relu|pool|block|fire|input)[\w-]*", re.I)
_POOLING = {**{name: name for name in Pooling.__members__}, "average": "avg", "mean": "avg"}
_LOSSES = {
    **{"gram": "loss.style=gram", "gram_matrix": "loss.style=gram"},
    **{"features": "loss.content=features", "content": "loss.content=features"},
    **{"tv": "loss.tv_weight=1", "total_variation": "loss.tv_weight=1"},
    "pixel_statistics": "loss.pixels={pixel_statistics: {weight: 30}}",
}


@functools.cache
def choices() -> dict[str, tuple[str, ...]]:
    """{group: its choices}, as the files of ``conf/`` are called."""
    return {
        group: tuple(sorted(file.stem for file in (CONF / group).glob("*.yaml")))
        for group in GROUPS
    }


def as_choice(name: str, first: str = "preset") -> str | None:
    """The override that chooses a name, where a group has it.

    Args:
        name: of a choice
        first: the group that is meant where several have it

    >>> as_choice("vgg19"), as_choice("adam"), as_choice("me.jpg")
    ('backbone=vgg19', 'optimizer=adam', None)
    """
    groups = sorted(choices(), key=lambda group: group != first)
    owner = next((group for group in groups if name in choices()[group]), None)
    return f"{owner}={name}" if owner else None


def instead_of(key: str, value: str) -> str | None:
    """The override that chooses what a picture or a layer cannot be called.

    >>> instead_of("style_layers", "gatys2015"), instead_of("content", "adam")
    ('layers=gatys2015', 'optimizer=adam')
    """
    if key in ("content_layer", "style_layers"):
        return None if _LAYER.fullmatch(value) else as_choice(value, "layers")
    is_picture = key not in ("content", "style") or looks_like_a_picture(value)
    return None if is_picture else as_choice(value)


def meant_by(group: str, value: str) -> str | None:
    """What to write for a value that is no choice of its group, where that can be told.

    >>> meant_by("optimizer", "500"), meant_by("optimizer", "0.02"), meant_by("backbone", "my.pth")
    ('optimizer.steps=500', 'optimizer.lr=0.02', 'backbone.weights=my.pth')
    """
    by_case = {name.lower(): name for name in choices().get(group, ())}
    same = by_case.get(re.sub(r"[-\s]", "_", value.lower())) or by_case.get(_plain(value))
    if same:
        return f"{group}={same}"
    own: dict[str, Callable[[str], str | None]] = {
        "backbone": _of_backbone,
        "init": _of_init,
        "layers": _of_layers,
        "logger": _of_logger,
        "loss": _of_loss,
        "optimizer": _of_optimizer,
        "study": lambda size: f"study.size={size}" if size in ("quick", "full") else None,
    }
    return (own[group](value) if group in own else None) or as_choice(value)


def _plain(text: str) -> str:
    """Lower case without marks: ``L-BFGS`` is ``lbfgs``."""
    return re.sub(r"[-_\s]", "", text.lower())


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _of_backbone(value: str) -> str | None:
    if value in WEIGHTS or _WEIGHTS_FILE.fullmatch(value) or existing_file(value):
        return f"backbone.weights={value}"
    if value.lower() in _POOLING:
        return f"backbone.pooling={_POOLING[value.lower()]}"
    return "backbone=vgg19" if value.lower() == "vgg" else None


def _of_init(value: str) -> str | None:
    if value.lower() in ("random", "gaussian", "white_noise", "rand", "normal", "uniform"):
        return "init=noise"
    if _number(value) is not None:
        return f"init.amplitude={value}"
    is_picture = value not in InitKind.__members__ and looks_like_a_picture(value)
    return f"init=image init.image={value}" if is_picture else None


def _of_layers(value: str) -> str | None:
    names = [name.strip() for name in value.strip("[]").split(",")]
    if not all(_LAYER.fullmatch(name) for name in names):
        return None
    several = len(names) > 1 or "-" in value
    return f"style_layers={value}" if several else f"content_layer={names[0]}"


def _of_logger(value: str) -> str | None:
    if value in WandbMode.__members__:
        return f"logger.mode={value}"
    return {"true": "logger=wandb", "false": "logger=none", "off": "logger=none"}.get(value.lower())


def _of_loss(value: str) -> str | None:
    if _number(value) is not None:
        return f"loss.style_weight={value}"
    return _LOSSES.get(value.lower())


def _of_optimizer(value: str) -> str | None:
    number = _number(value)
    if number is None:
        return None
    return f"optimizer.{'steps' if number >= 1 and number.is_integer() else 'lr'}={value}"


_PICTURE = re.compile(rf".*\.({'|'.join(PICTURE_ENDINGS)}|hei[cf])", re.I)


def looks_like_a_picture(name: str) -> bool:
    """Whether a word is a sample's name, a file's, or is spelt like a picture's."""
    return name in SAMPLES or bool(_PICTURE.fullmatch(name)) or existing_file(name) is not None


def as_file(name: str) -> bool:
    """Whether a name leads to a file here."""
    return existing_file(name) is not None
