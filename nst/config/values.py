"""A config as plain values: from OmegaConf, to JSON, and the hash of what decides a picture."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import typing
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any

from nst.config.checks import check
from nst.config.schema import GROUPS, Config
from nst.errors import InputError, did_you_mean

RECORDING_KEYS: tuple[str, ...] = tuple(
    item.name
    for item in dataclasses.fields(Config)
    if not item.metadata.get("decides_picture", True)
)
"""Top-level keys that decide nothing about the picture: how a run is logged, snapped, reported."""

UNNAMED_KEYS: tuple[str, ...] = (*RECORDING_KEYS, "device")
"""Top-level keys that neither name a run's folder nor tell the pictures of a sweep apart."""


def from_omegaconf(composed: Any) -> Config:
    """A composed config as plain dataclasses, every interpolation resolved, checked.

    Raises:
        InputError: a value that cannot work; see :func:`nst.config.checks.check`.
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        container = OmegaConf.to_container(composed, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        raise InputError(explained(error, composed)) from error
    cfg = _build(Config, container)
    check(cfg)
    return typing.cast(Config, cfg)


def explained(error: Any, composed: Any = None) -> str:
    """What OmegaConf says of a value, with its key.

    Args:
        error: OmegaConf's
        composed: the config; with it the value, too, is named
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import MissingMandatoryValue

    key, reason = error.full_key or "", next(iter(str(error).splitlines()), "")
    own = "InputError raised while resolving interpolation: "
    if reason.startswith(own):  # a resolver's own complaint needs no more words
        return reason.removeprefix(own)
    missing = re.search(r"Missing mandatory value: (\S+)", reason)
    if missing:
        name = key if isinstance(error, MissingMandatoryValue) and key else missing[1]
        group = name.partition(".")[0]
        return f"{name} is not set" + (f"; choose by {group}=NAME" if group in GROUPS else "")
    value: Any = OmegaConf.to_container(composed, resolve=False) if composed is not None else None
    for part in re.findall(r"[^.\[\]]+", key):
        is_list = isinstance(value, list) and part.isdigit() and int(part) < len(value)
        value = (
            value[int(part)] if is_list else value.get(part) if isinstance(value, dict) else None
        )
    name = key if value is None else f"{key}={value}"
    return f"{name}: {reason}" if name else reason


def _build(hint: Any, values: Any) -> Any:
    """Nested dictionaries → nested dataclasses, strings → enum members."""
    if isinstance(values, Mapping) and dataclasses.is_dataclass(hint):
        hints = typing.get_type_hints(hint)
        for key in values:
            if key not in hints:
                raise InputError(f"unknown key {key!r}{did_you_mean(str(key), hints)}")
        make = typing.cast(type, hint)
        return make(**{str(k): _build(hints[str(k)], v) for k, v in values.items()})
    if typing.get_origin(hint) is list and isinstance(values, list):
        (item,) = typing.get_args(hint)
        return [_build(item, v) for v in values]
    if isinstance(hint, type) and issubclass(hint, Enum) and not isinstance(values, hint):
        return hint[values]
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


def picture_settings(cfg: Config) -> dict[str, Any]:
    """The config as JSON's types, less what does not decide the picture."""
    return {key: value for key, value in to_dict(cfg).items() if key not in RECORDING_KEYS}


def flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested keys joined by dots; an empty object is a value.

    >>> dict(flat({"a": {"b": 1, "c": {}}, "d": [2]}))
    {'a.b': 1, 'a.c': {}, 'd': [2]}
    """
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def differences(
    before: Mapping[str, Any], now: Mapping[str, Any]
) -> Iterator[tuple[str, Any, Any]]:
    """(key, old, new) of what two configs differ in, less what only says how a run is recorded.

    Args:
        before, now: as :func:`to_dict` makes them, nested or flat
    """
    old, new = dict(flat(before)), dict(flat(now))
    for key in dict.fromkeys([*new, *old]):
        if key.partition(".")[0] not in RECORDING_KEYS and old.get(key) != new.get(key):
            yield key, old.get(key), new.get(key)


def config_hash(cfg: Config) -> str:
    """16 hexadecimal digits that change with every setting that decides the picture.

    Pictures and weights count by name, not by what their files hold; ``record.json`` has the files'
    sha256.
    """
    values = picture_settings(cfg)
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]
