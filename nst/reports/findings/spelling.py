"""What a sweep varied, in one spelling: ``conv4_2``, ``[conv_10]`` and ``conv_10`` are equal."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

import pandas as pd

from nst.config.layers import resolve
from nst.errors import InputError
from nst.reports.sweeps import Axis, Sweep

_LAYERS = ("content_layer", "style_layers")


def spelled(sweep: Sweep, keys: Iterable[str]) -> Sweep:
    """The sweep with these keys' values as the runs' configs resolved them.

    Layers are canonical, as ``conv_4`` and ``conv_1-5``; ``init`` is the kind of start that a run
    had, whichever override chose it. A key whose value differs is an axis, also where another key
    decided it. Other keys stay as they are.
    """
    for key in keys:
        texts = [_spelling(sweep, index, key) for index in sweep.runs.index]
        if None in texts:
            continue
        values = tuple(str(text) for text in dict.fromkeys(texts))
        if sweep.axis(key) is None and len(values) < 2:
            continue
        axes = tuple(Axis(key, values) if axis.key == key else axis for axis in sweep.axes)
        if sweep.axis(key) is None:
            axes = (*axes, Axis(key, values))
        column = pd.Series(texts, sweep.runs.index, dtype=object)
        sweep = replace(sweep, runs=sweep.runs.assign(**{key: column}), axes=axes)
    return sweep


def backbone_of(sweep: Sweep, index: int) -> str | None:
    """The network that made one picture; None where the record does not say."""
    name = sweep.value(index, "backbone.name") or sweep.value(index, "config.backbone.name")
    return None if name is None else str(name)


def _spelling(sweep: Sweep, index: int, key: str) -> str | None:
    given = sweep.value(index, key) if sweep.axis(key) else None
    if key == "init":
        return sweep.value(index, "config.init.kind") or given
    if key not in _LAYERS:
        return given
    chosen, backbone = sweep.value(index, f"config.{key}"), backbone_of(sweep, index)
    chosen = given if chosen is None else chosen
    if chosen is None or backbone is None:
        return given
    try:
        return _set_name(resolve(_listed(chosen), backbone))
    except InputError:  # a layer of another version
        return given


def _listed(layers: str | Sequence[str]) -> str | list[str]:
    """As in the config, where it is as on the command line: ``[conv_1,conv_2]``."""
    if not isinstance(layers, str):
        return list(layers)
    bare = layers.strip("'\"")
    if not bare.startswith("["):
        return bare
    return [part.strip(" '\"") for part in bare.strip("[]").split(",")]


def _set_name(layers: Sequence[str]) -> str:
    """The shortest name of canonical layers.

    >>> _set_name(["conv_4"]), _set_name(["conv_1", "conv_2"]), _set_name(["conv_1", "relu_2"])
    ('conv_4', 'conv_1-2', '[conv_1,relu_2]')
    """
    if len(layers) == 1:
        return layers[0]
    matches = [re.fullmatch(r"(conv|relu)_(\d+)", layer) for layer in layers]
    stems = {match[1] for match in matches if match}
    numbers = [int(match[2]) for match in matches if match]
    ranged = len(numbers) == len(layers) and len(stems) == 1
    if ranged and numbers == list(range(numbers[0], numbers[0] + len(layers))):
        return f"{stems.pop()}_{numbers[0]}-{numbers[-1]}"
    return f"[{','.join(layers)}]"
