"""The losses by name, and how one is made from what the config says.

Every module of this package is searched for losses, so that a new one needs no entry anywhere.
"""

from __future__ import annotations

import dataclasses
import functools
import pkgutil
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import nst.losses
from nst.errors import InputError, did_you_mean, shown
from nst.losses.layer_loss import LayerLoss, Role


@functools.cache
def losses(role: Role) -> dict[str, type[LayerLoss]]:
    """The losses of a role by name, in alphabetical order."""
    classes: dict[str, type[LayerLoss]] = {}
    for module in pkgutil.iter_modules(nst.losses.__path__, "nst.losses."):
        for value in vars(import_module(module.name)).values():
            is_loss = isinstance(value, type) and issubclass(value, LayerLoss)
            if is_loss and value is not LayerLoss and getattr(value, "role", None) == role:
                classes[value.name] = value
    return dict(sorted(classes.items()))


def make_loss(role: Role, settings: str | Mapping[str, Any], key: str) -> LayerLoss:
    """A loss from its name, or from a mapping of its name and its options.

    Args:
        role: where it may stand
        settings: ``gram`` or ``{name: gram, normalization: relative}``
        key: of the settings in the config, for messages

    Raises:
        InputError: an unknown name or option, or a value that the loss refuses.

    >>> make_loss("style", {"name": "gram", "normalization": "relative"}, "loss.style")
    Gram(normalization='relative', activation_shift=0.0, shifted_gram_share=0.0)
    """
    classes = losses(role)
    if not isinstance(settings, str | Mapping):
        raise InputError(f"{key}={shown(settings)}: expected a name or {{name: …, option: …}}")
    options = {"name": settings} if isinstance(settings, str) else dict(settings)
    if "name" not in options:  # on the command line an option takes a plain name's place
        example = ", ".join(
            f"{k}: {v}" for k, v in {"name": next(iter(classes)), **options}.items()
        )
        raise InputError(f"{key}: name the loss, as {{{example}}} (there are {', '.join(classes)})")
    name = options.pop("name")
    if not isinstance(name, str) or name not in classes:
        hint = did_you_mean(str(name), classes)
        called = shown(name) if not isinstance(name, str) else repr(name)
        raise InputError(f"{key}: no {role} loss is called {called}{hint} ({', '.join(classes)})")
    fields = option_fields(classes[name])
    for option, value in options.items():
        if option not in fields:
            raise InputError(
                f"{key}.{option}: {name} has no such option{did_you_mean(str(option), fields)} "
                f"(it has {', '.join(fields) or 'none'})"
            )
        _check_type(f"{key}.{option}", value, fields[option].default)
    return classes[name](**options)


def option_fields(loss: type[LayerLoss]) -> dict[str, dataclasses.Field[Any]]:
    """{option: its field} of a loss, which is a dataclass."""
    schema: Any = loss
    return {field.name: field for field in dataclasses.fields(schema)}


def _check_type(key: str, value: Any, default: Any) -> None:
    """Numbers where the default is a number, and so on; a whole number is a number."""
    types = (int, float) if isinstance(default, float) else (type(default),)
    if not isinstance(value, types) or isinstance(value, bool) != isinstance(default, bool):
        words = {bool: "true or false", int: "a whole number", float: "a number", str: "a name"}
        raise InputError(f"{key}={shown(value)}: expected {words[type(default)]}")
