"""Where runs and sweeps are written: a folder of its own for each, by a name that can be read.

A run's name is the time and its pictures, ``14-17_me_swirl``; a sweep's the time and what varies in
it, ``14-17_seed_style``; a job's its number and its values, ``3_0_ink``. What is not plain in a
name is left out of it: names are for people, and nothing is read from them.
"""

from __future__ import annotations

import atexit
import contextlib
import itertools
import os
import re
import unicodedata
from collections.abc import Iterable, Sequence
from itertools import count
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from nst.command.line.names import key_of

LATEST = "latest"
"""A link in ``outputs/`` to the folder of the newest run or sweep."""

_OUTPUTS = "outputs"
_LONGEST_WORD, _LONGEST_NAME = 24, 60
_SPELLED = str.maketrans(
    {"ß": "ss", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L"}
)
_ENDING = re.compile(r"\.[A-Za-z]\w{1,10}$", re.ASCII)
_claimed: dict[str, str] = {}


# --- a folder of one's own ------------------------------------------------------------------------


def own_folder(path: str) -> str:
    """A folder that is this program's own: ``path``, or with ``_2`` and so on where that is taken.

    It is made at once, so that no other program can take it; where it stays empty, as after a
    command that is refused, it is removed again. The same path gives the same folder every time.
    """
    if path not in _claimed:
        _claimed[path] = _claim(Path(path))
        atexit.register(_remove_if_empty, Path(_claimed[path]))
    return _claimed[path]


def _claim(path: Path) -> str:
    candidates = itertools.chain([path], (path.with_name(f"{path.name}_{n}") for n in count(2)))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for candidate in candidates:
            with contextlib.suppress(FileExistsError):
                candidate.mkdir()
                return str(candidate)
    except OSError:
        pass  # a place that cannot be written to: whoever writes there will say so
    return str(path)


def _remove_if_empty(folder: Path) -> None:
    """Remove a folder that holds nothing, and what was made around it."""
    with contextlib.suppress(OSError):
        for each in (folder, *list(folder.parents)[:3]):
            each.rmdir()


def point_latest(folder: Path) -> None:
    """Have ``outputs/latest`` lead to a folder below ``outputs/``; others are not followed.

    The link is relative, so that ``outputs/`` can be moved, and replaced in one step. Where the
    system makes no links, or somebody's file has the name, there is none.
    """
    outputs = Path.cwd() / _OUTPUTS
    link, new = outputs / LATEST, outputs / f".{LATEST}.{os.getpid()}"
    with contextlib.suppress(OSError, NotImplementedError):
        where = folder.resolve().relative_to(outputs.resolve()) if _is_below(folder) else None
        if where is None or where == Path(LATEST) or (os.path.lexists(link) != link.is_symlink()):
            return
        new.unlink(missing_ok=True)
        new.symlink_to(where, target_is_directory=True)
        try:
            os.replace(new, link)
        finally:
            new.unlink(missing_ok=True)


def _is_below(folder: Path) -> bool:
    outputs = (Path.cwd() / _OUTPUTS).resolve()
    return outputs in folder.resolve().parents


# --- names ----------------------------------------------------------------------------------------


def word(value: str) -> str:
    """A value as a part of a folder's name: of a file its stem, in plain letters, short.

    >>> word("pictures/my cat (1).jpg"), word("0.5"), word("[conv_1,conv_4]"), word("größe.png")
    ('my-cat-1', '0.5', 'conv_1-conv_4', 'grosse')
    >>> word("🎨.png"), word("a" * 30)
    ('', 'aaaaaaaaaaaaaaaaaaaaaaaa')
    """
    bare = value.strip().strip("'\"")
    if not bare.startswith(("[", "{")):
        bare = _ENDING.sub("", re.split(r"[/\\]", bare.rstrip("/\\"))[-1])
    decomposed = unicodedata.normalize("NFKD", bare.translate(_SPELLED))
    letters = decomposed.encode("ascii", "ignore").decode()
    if re.fullmatch(r"-\d[\d.]*", letters):
        return letters[:_LONGEST_WORD].rstrip(".")
    plain = re.sub(r"[^A-Za-z0-9_.+]+", "-", letters)
    return plain.strip("-._")[:_LONGEST_WORD].rstrip("-._")


def joined(words: Iterable[str]) -> str:
    """Words as a name, as many as it has room for; the empty ones are left out.

    >>> joined(["14-17", "", "me", "swirl"]), joined(["7", *["x" * 24] * 3])
    ('14-17_me_swirl', '7_xxxxxxxxxxxxxxxxxxxxxxxx_xxxxxxxxxxxxxxxxxxxxxxxx')
    """
    name = ""
    for each in filter(None, words):
        longer = f"{name}_{each}" if name else each
        if len(longer) > _LONGEST_NAME:
            break
        name = longer
    return name


def run_name(time: str, *, _root_: Any) -> str:
    """A run's name: the time, the pictures that its task uses, and a preset or study by its name.

    Args:
        time: to the minute, ``14-17``
        _root_: the config, from OmegaConf
    """
    task = _text(_root_, "task").rpartition(".")[2]
    pictures = {"content": ("content",), "texture": ("style",)}.get(task, ("content", "style"))
    choices = ("preset", "study")
    chosen = [_text(_root_, f"hydra.runtime.choices.{group}") for group in choices]
    return joined([time, *(word(_text(_root_, key)) for key in pictures), *map(word, chosen)])


def sweep_name(time: str, *, _root_: Any) -> str:
    """A sweep's name: the time, and the keys that vary, each by its last part."""
    keys = varying(_get(_root_, "hydra.overrides.task"), _get(_root_, "hydra.sweeper.params"))
    return joined([time, *(word(re.split(r"[./]", key)[-1]) for key in keys)])


def job_name(keys: Sequence[str], *, _root_: Any) -> str:
    """A job's name: its number, and its values of what varies.

    A sweep that goes on finds its jobs by their numbers, whatever their folders are called.

    Args:
        keys: that vary, see :func:`varying`
        _root_: the job's config, from OmegaConf
    """
    number = _text(_root_, "hydra.job.num")
    if _get(_root_, "resume") is True:
        sweep = Path(_text(_root_, "hydra.sweep.dir"))
        earlier = [each.parent.name for each in sweep.glob(f"{number}_*/.hydra")]
        if len(earlier) == 1:
            return earlier[0]
    values = {key_of(o): o.partition("=")[2] for o in _texts(_get(_root_, "hydra.overrides.task"))}
    return joined([number, *(word(values.get(key, "")) for key in keys)])


def varying(overrides: Any, params: Any = None) -> list[str]:
    """The keys that a sweep gives several values, the slowest first.

    Args:
        overrides: of the command line
        params: {key: values} that the sweeper has from a study or a file

    >>> varying(["seed=0,1", "size=64", "++loss.style_weight=range(1,4)"], {"init": "noise"})
    ['seed', 'loss.style_weight']
    """
    if OmegaConf.is_config(params):
        params = OmegaConf.to_container(params, resolve=False)
    swept = [f"{key}={values}" for key, values in (params or {}).items()]
    return list(dict.fromkeys(key_of(o) for o in [*swept, *_texts(overrides)] if _varies(o)))


def _varies(override: str) -> bool:
    try:
        parsed = OverridesParser.create().parse_overrides([override])[0]
    except HydraException:
        return False
    value = parsed._value  # what value() gives of a choice() with one option is no list
    if isinstance(value, ChoiceSweep):
        return len(value.list) > 1
    return bool(parsed.is_sweep_override())


def _texts(overrides: Any) -> list[str]:
    if OmegaConf.is_config(overrides):
        overrides = OmegaConf.to_container(overrides, resolve=False)
    return [str(override) for override in overrides or ()]


def _get(root: Any, key: str) -> Any:
    """A value of the config; None where there is none, or it cannot be resolved."""
    try:
        return OmegaConf.select(root, key)
    except OmegaConfBaseException:
        return None


def _text(root: Any, key: str) -> str:
    value = _get(root, key)
    return "" if value is None else str(value)
