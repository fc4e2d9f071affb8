"""What a shell may complete a word to, at the press of Tab.

``eval "$(nst -sc install=bash)"`` sets a shell up; the script is Hydra's own. It asks for
candidates by ``nst -sc query=bash``, which Hydra would answer by composing the whole config: that
takes twice the time, and leaves out samples, values of an enum and most files.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from nst.command.configs import CONF
from nst.command.help.losses import losses_in_words
from nst.command.line import repeat
from nst.command.line.names import PICTURE_KEYS, is_of_files
from nst.config import GROUPS, WEIGHTS, documented_keys
from nst.config import layers as layer_names
from nst.config.samples import PICTURE_ENDINGS, SAMPLES
from nst.errors import shown

_FLAGS = ("--help", "--multirun", "--cfg", "--hydra-help", "--version")
_PLAIN = re.compile(r"[\w./+@%:-]*")
"""Names that a shell reads as they are: Hydra's script lets it expand the candidates."""


def answered(arguments: Sequence[str], environment: Mapping[str, str] = os.environ) -> bool:
    """Print the candidates that a shell asks for; whether one asks for some.

    Args:
        arguments: the command line without the program's name
        environment: with the line that is being written in ``COMP_LINE``, and where its end or the
            cursor is in ``COMP_POINT``
    """
    asks = "-sc" in arguments and any(a.startswith("query=") for a in arguments)
    if not asks or "COMP_LINE" not in environment:
        return False
    line = environment["COMP_LINE"]
    separator = "\n" if "query=fish" in arguments else " "
    print(separator.join(candidates(line[: int(environment.get("COMP_POINT", len(line)))])))
    return True


def candidates(line: str) -> list[str]:
    """What the last word of a line may become, in alphabetical order.

    Args:
        line: from the program's name to the cursor

    >>> candidates("nst --help optimizer.d")
    ['optimizer.decay_rate=', 'optimizer.decay_steps=', 'optimizer.default_steps=', \
'optimizer.divergence_factor=']
    >>> candidates("python run.py -m optimizer=adam,l")
    ['optimizer=adam,lbfgs']
    """
    words = line.split()
    word = words[-1] if words and not line[-1].isspace() else ""
    key, equals, value = word.partition("=")
    if equals:
        others, comma, begun = value.rpartition(",")
        known = [each for each in _values(key, words) if each.startswith(begun)]
        number = key in documented_keys() and "number" in documented_keys()[key].expected
        if is_of_files(key) or not (known or number or key in GROUPS):
            files = _files(begun)
            known += [f for f in files if key not in PICTURE_KEYS or _LOOKS_LIKE_ONE.search(f)]
        every = [f"{key}={others}{comma}{each}" for each in known]
    else:
        every = [name for name in _names(word) if name.startswith(word)]
    return sorted(set(every))


def _names(word: str) -> Iterator[str]:
    """Keys and groups; those below a name only where the word has its dot."""
    if word.startswith("-"):
        yield from _FLAGS
    options = [f"{loss.key}.{option}" for loss in losses_in_words() for option in loss.options]
    for name in (*documented_keys(), *options):
        yield f"{name}=" if "." in word or "." not in name else f"{name.partition('.')[0]}."
    yield from (f"{group}=" for group in (*GROUPS, "hydra/launcher", repeat.KEY))


def _values(key: str, words: Sequence[str]) -> Sequence[str]:
    """Values of a key or a group, by name; of a number its default."""
    known = documented_keys().get("report.enabled" if key == "report" else key)
    if key in GROUPS:
        return [file.stem for file in (CONF / key).glob("*.yaml")]
    if key in ("content_layer", "style_layers"):
        return layer_names.layers_of(_backbone(words))
    if key in ("loss.content", "loss.style"):
        return [loss.name for loss in losses_in_words() if loss.key == key]
    if known is None or key in _BY_NAME:
        return _BY_NAME.get(key, ())
    if known.values == "true/false":
        return "true", "false"
    if known.values not in ("", "int", "float"):
        return known.values.split(", ")
    return () if known.default is None else (shown(known.default),)


_LOOKS_LIKE_ONE = re.compile(rf"/$|\.({'|'.join(PICTURE_ENDINGS)})$", re.IGNORECASE)
"""A folder, or a file whose suffix is a picture's."""

_BY_NAME: dict[str, Sequence[str]] = {
    **dict.fromkeys(PICTURE_KEYS, SAMPLES),
    **dict.fromkeys(("backbone.weights", "report.judge_weights"), WEIGHTS),
    "report.judge": ("auto", *layer_names.BACKBONES),
    "device": ("auto", "cpu", "cuda", "mps"),
    "hydra/launcher": ("basic", "batched"),
}


def _backbone(words: Sequence[str]) -> str:
    """The network that a line asks for, as far as its name is that of its layers."""
    chosen = [word.partition("=")[2] for word in words if word.startswith("backbone=")]
    name = chosen[-1].removesuffix("_caffe") if chosen else ""
    return name if name in layer_names.BACKBONES else "vgg16_mini"


def _files(begun: str) -> list[str]:
    """Files and folders whose paths begin like this, as far as a shell reads them as they are."""
    folder, name = begun[: begun.rfind("/") + 1], begun.rpartition("/")[2]
    try:
        files = list(Path(folder or ".").expanduser().iterdir())
    except (OSError, RuntimeError):  # no such folder, or nobody's home
        return []
    listed = [
        file
        for file in files
        if file.name.startswith(name) and _PLAIN.fullmatch(file.name)
        if name or not file.name.startswith(".")
    ]
    return [f"{folder}{file.name}{'/' if file.is_dir() else ''}" for file in listed]
