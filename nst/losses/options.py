"""Checks of a loss's options, in the words of the config."""

from __future__ import annotations

from collections.abc import Iterable

from nst.errors import InputError, did_you_mean, shown
from nst.losses.layer_loss import LayerLoss


def config_key(loss: LayerLoss, option: str) -> str:
    """Where an option stands in the config, as ``loss.style.normalization``."""
    place = f"pixels.{loss.name}" if loss.role == "pixels" else loss.role
    return f"loss.{place}.{option}"


def require_choice(loss: LayerLoss, option: str, choices: Iterable[str]) -> None:
    """Raise :class:`InputError` where an option is none of its choices."""
    value, names = getattr(loss, option), list(choices)
    if not isinstance(value, str) or value not in names:
        raise InputError(
            f"{config_key(loss, option)}={shown(value)}: expected one of {', '.join(names)}"
            f"{did_you_mean(str(value), names)}"
        )


def require_range(loss: LayerLoss, option: str, low: float, high: float) -> None:
    """Raise :class:`InputError` where an option is no number from low to high."""
    value = getattr(loss, option)
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not low <= value <= high:
        where = f"{config_key(loss, option)}={shown(value)}"
        raise InputError(f"{where}: expected {low:g} to {high:g}")
