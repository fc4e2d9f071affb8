"""A page of ``--help`` about one thing: a key, a group or a choice of it, a loss or its option."""

from __future__ import annotations

import functools
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from nst.command.configs import CONF, compose
from nst.command.help import examples
from nst.command.help.lists import WIDTH, comments, default_choices, first_comment, help_samples
from nst.command.help.losses import LossInWords, losses_in_words
from nst.command.line import repeat
from nst.command.line.hints import close, hint
from nst.command.line.names import PICTURE_KEYS
from nst.config import GROUPS, documented_keys, to_dict
from nst.config import layers as layer_names
from nst.config.keys import Key
from nst.errors import InputError, did_you_mean, shown


def _filled(text: str, indent: int = 4, further: str = "") -> str:
    """Text in lines that fit a terminal."""
    first = " " * indent
    return textwrap.fill(
        text, WIDTH, initial_indent=first, subsequent_indent=first + further,
        break_on_hyphens=False,
    )  # fmt: skip


_SECTIONS = {"report": "the page that compares the pictures of a sweep, report.html"}
"""What keys below a name have in common, where the name is no group."""

_FLAGS = ("-m", "--multirun")
_BATCHED = "hydra/launcher"
_OTHERS: dict[str, tuple[str, str]] = {
    "-m": (
        "-m: a sweep, every combination of key=a,b,c\n\n"
        "    A folder of pictures, or a pattern in quotes, stands for all of them:\n"
        "    -m content=photos/\n\n"
        "    The pictures land side by side in a folder below\n"
        "    outputs/sweeps/, with a page that compares them, report.html;\n"
        "    report=false leaves that out. --help study lists sweeps that answer a\n"
        "    question of the literature.",
        "-m style=swirl,ink strength=0.3,0.6",
    ),
    repeat.KEY: (
        f"repeat=FILE\n\n{_filled(repeat.HELP)}",
        "repeat=mine.png size=2000 output=large.png",
    ),
    _BATCHED: (
        "hydra/launcher: how the jobs of a sweep are run\n\n"
        "    basic (default)  one after the other\n"
        "    batched          several at once, as one batch of images: up to\n"
        "                     hydra.launcher.max_batch=8, or as many as fit into\n"
        "                     memory with hydra.launcher.max_batch=auto",
        "-m init=noise seed=0,1 hydra/launcher=batched",
    ),
}


def topic(word: str) -> str:
    """The page about what a word of the command line names.

    Args:
        word: a key or a group, alone or with a value; a choice; ``-m``

    Raises:
        InputError: nothing has that name; with the name that may be meant.
    """
    name, equals, value = word.lstrip("+~").partition("=")
    name = "-m" if word in _FLAGS else name.rstrip(".")
    if name in GROUPS and equals and value and "," not in value:
        return _choice(name, value)
    for page in (_other, _section, _key, _option, _within):
        text = page(name)
        if text:
            return text
    return _by_another_name(name, value)


def _other(name: str) -> str:
    """What is neither a key nor a group of ours."""
    if name not in _OTHERS:
        return ""
    text, example = _OTHERS[name]
    return f"{text}\n\n{_example(example)}"


# --- groups and their choices --------------------------------------------------------------------


def _section(name: str) -> str:
    """A config group with its choices, and the keys below its name."""
    keys = {key: each for key, each in documented_keys().items() if key.startswith(f"{name}.")}
    if name not in GROUPS and not keys:
        return ""
    parts = [f"{name}: {(GROUPS | _SECTIONS).get(name, 'keys below this name')}"]
    if name in GROUPS:
        marked = default_choices(CONF).get(name)
        entries = {
            file.stem: first_comment(file) + (" (default)" if file.stem == marked else "")
            for file in sorted((CONF / name).glob("*.yaml"))
        }
        parts.append("\n".join([f"  {name}=CHOICE", *_columns(entries)]))
    if keys:
        entries = {key: _brief(each) for key, each in keys.items()}
        parts.append("\n".join([f"  {name}.KEY=VALUE", *_columns(entries)]))
    parts.append(_example(examples.of_section(name)))
    return "\n\n".join(parts)


def _brief(key: Key) -> str:
    """The first sentence of a key's text, and its default."""
    default = default_of(key.name)
    short = isinstance(default, str | int | float) or default is None
    sentence = re.split(r"\. (?=[A-Z])", key.text)[0].rstrip(".")
    return f"{sentence} ({shown(default)})" if short else sentence


def _choice(group: str, choice: str) -> str:
    """A choice of a group: all that its file says of itself, and what it sets."""
    files = {file.stem: file for file in (CONF / group).glob("*.yaml")}
    if choice not in files:
        hint = did_you_mean(choice, files)
        raise InputError(f"{group}={choice}: no such choice{hint} ({', '.join(sorted(files))})")
    first, *others = comments(files[choice])
    parts = [_filled(f"{group}={choice}: {first}", indent=0)]
    if others:
        parts.append(_filled(" ".join(others)))
    settings = "\n".join(_filled(line, further="    ") for line in _settings(group, files[choice]))
    if settings:
        parts.append(f"  It sets:\n{settings}")
    parts.append(_example(examples.of_choice(group, choice)))
    return "\n\n".join(parts)


def _settings(group: str, file: Path) -> Iterator[str]:
    """What a config file sets, a line for each key."""
    text = file.read_text(encoding="utf-8")
    settings = yaml.safe_load(text) or {}
    for entry in settings.pop("defaults", []):
        if isinstance(entry, dict):
            for key, value in entry.items():
                yield f"{key.removeprefix('override ').lstrip('/')}={value}"
        elif entry != "_self_":
            yield f"{group}={entry}"
    settings.pop("hydra", None)
    sweep = settings.get("study", {}).pop("sweep", {})
    prefix = "" if "@package _global_" in text else f"{group}."
    for key, value in _flat(settings, prefix):
        others = re.findall(r"\$\{([\w.]+)\}", str(value))
        yield f"{key}: by {', '.join(others)}" if others else f"{key}={shown(value)}"
    for size, axes in sweep.items():
        yield f"study.sweep.{size}: {' '.join(f'{key}={values}' for key, values in axes.items())}"


def _flat(settings: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    """The keys of nested mappings, with dots between the names; a key that is one stays whole."""
    for key, value in settings.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and name not in documented_keys():
            yield from _flat(value, f"{name}.")
        else:
            yield name, value


# --- keys ----------------------------------------------------------------------------------------


def _key(name: str) -> str:
    """A key: what it means, its values, its default."""
    key = documented_keys().get(name)
    if key is None:
        return ""
    facts = {"values": key.expected} if key.expected else {}
    facts["default"] = shown(default_of(name))
    parts = [name, _filled(key.text), *_more(name), "\n".join(_columns(facts))]
    return "\n\n".join([*parts, _example(examples.of_key(key, default_of(name)))])


def default_of(name: str) -> Any:
    """The value of a key in a run without arguments."""
    config = _defaults()
    for part in name.split("."):
        config = config[part]
    return config


@functools.cache
def _defaults() -> Any:
    return to_dict(compose())


def _more(name: str) -> list[str]:
    """What a key's own text leaves out: names that it takes."""
    if name in PICTURE_KEYS:
        return [textwrap.indent(help_samples(), "    ")]
    if name in ("content_layer", "style_layers"):
        backbone = str(default_choices(CONF)["backbone"])
        names = f"Layers of {backbone}: {layer_names.summary(backbone)}."
        return [_filled(names), _filled("All names: docs/configuration.md#names-of-layers.")]
    losses = [loss for loss in losses_in_words() if f"{loss.key}.".startswith(f"{name}.")]
    return ["\n\n".join(map(_loss, losses))] if losses and name != "loss" else []


def _loss(loss: LossInWords) -> str:
    """A loss and its options."""
    options = {
        f"{loss.key}.{option}": f"{text} ({default})"
        for option, (text, default) in loss.options.items()
    }
    return "\n".join([_filled(f"{loss.name}: {loss.summary}"), *_columns(options, indent=6)])


def _option(name: str) -> str:
    """An option of a loss, for each loss that has it."""
    parts = []
    key, _, option = name.rpartition(".")
    for loss in losses_in_words():
        if key == loss.key and option in loss.options:
            text, default = loss.options[option]
            parts.append(_filled(f"Of the loss {loss.name}: {text}."))
            parts.append("\n".join(_columns({"default": f"{default}, unless loss=… says another"})))
            example = _example(examples.of_option(name, default))
    return "\n\n".join([name, *parts, example]) if parts else ""


def _within(name: str) -> str:
    """The page of the key that a name is part of, as ``passes.scale``."""
    parent = name.rpartition(".")[0]
    return (_key(parent) or _within(parent)) if parent else ""


# --- names that are not whole --------------------------------------------------------------------


def _by_another_name(name: str, value: str) -> str:
    """The page that a part of a name leads to, where it is the only one."""
    pages: dict[str, Callable[[], str]] = {}
    for key in documented_keys():
        if key.endswith(f".{name}"):
            pages[key] = functools.partial(_key, key)
    for loss in losses_in_words():
        if loss.name == name:
            pages[loss.key] = functools.partial(_key, loss.key)
        if name in loss.options:
            pages[f"{loss.key}.{name}"] = functools.partial(_option, f"{loss.key}.{name}")
    for group in GROUPS:
        if (CONF / group / f"{name}.yaml").is_file():
            pages[f"{group}={name}"] = functools.partial(_choice, group, name)
    if len(pages) == 1:
        return next(iter(pages.values()))()
    if pages:
        raise InputError(f"--help {name}: there are {', '.join(pages)}; name one of them")
    if name.startswith("hydra"):
        raise InputError(f"--help {name}: this is a key of Hydra's own; see --hydra-help")
    meant = hint(name, value) or close(name) or "; --help all lists all of them"
    raise InputError(f"--help {name}: no key, group or choice has this name{meant}")


# --- layout --------------------------------------------------------------------------------------


def _columns(entries: Mapping[str, str], indent: int = 4) -> list[str]:
    """A name on the left, and text on its right; below a name that leaves it no room."""
    widest = max(map(len, entries), default=0)
    left = indent + (widest if widest <= 20 else 20) + 2
    lines = []
    for name, text in entries.items():
        head = f"{'':{indent}}{name}"
        wrapped = textwrap.wrap(text, WIDTH - left, break_on_hyphens=False)
        if len(head) + 1 < left:
            head = f"{head:<{left}}{wrapped.pop(0)}"
        lines += [head, *(" " * left + line for line in wrapped)]
    return lines


def _example(arguments: str) -> str:
    return _filled(f"Example: python run.py {arguments}", further="    ", indent=2)
