"""The page docs/configuration.md: every group, key, loss and layer name, from the code itself.

``python -m nst.command.help.reference docs/configuration.md`` writes it again.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import yaml

from nst.command.configs import CONF, compose
from nst.command.help.lists import default_choices, first_comment
from nst.command.help.losses import options_in_words
from nst.config import GROUPS, documented_keys, to_dict
from nst.config import layers as layer_names
from nst.config.samples import PAINTINGS, PHOTOS
from nst.losses.layer_loss import LayerLoss, Role
from nst.losses.registry import losses, option_fields

_HEAD = """\
# Configuration

<!-- Written by: python -m nst.command.help.reference docs/configuration.md -->

A run is described by keys. `python run.py key=value …` sets a key, `group=choice` sets all keys
that a file of `conf/GROUP/` names, and later settings win over earlier ones. In Python,
`nst.compose("group=choice", "key=value", key=value)` gives the same config. A word that is no key,
no choice or no value is refused before anything runs, with what would be right.

`python run.py --help all` prints the first two sections of this page, `--help KEY` one of them,
`python run.py --cfg job` the whole config as it would run.

- [Groups](#groups)
- [Keys](#keys)
- [Losses and their options](#losses-and-their-options)
- [Names of layers](#names-of-layers)
- [Pictures that come with the package](#pictures-that-come-with-the-package)
- [Sweeps](#sweeps)
"""

_LOSSES = """\
## Losses and their options

The content loss and the style loss are named by `loss.content` and `loss.style`; their options are
keys below these, as `loss.style.normalization=relative`. Losses on pixels are listed under
`loss.pixels` with their weights, as `loss.pixels.pixel_statistics.weight=30`; total variation is
always among them, with its weight in `loss.tv_weight`. An option that a loss does not have is
refused. The defaults below are the loss's own; `loss=balanced` and the recipes set others.
"""

_LAYERS = """\
## Names of layers

A layer of a VGG goes by several names, and all of them are accepted. A ReLU matters: the names of
some recipes mean features before it, those of others after it.
"""

_SWEEPS = """\
## Sweeps

`python run.py -m key=a,b,c` runs every combination of the values, one job after the other, each in
a folder of its own. `hydra/launcher=batched` runs jobs whose pictures the network may see together
at once ([running.md](running.md#several-pictures-at-once)). Names of files may have any characters,
also within a sweep: `"content=photo (1).jpg,größe.png"`. A name with a comma is found where its
file is.
"""

_ROLES: Mapping[Role, tuple[str, str]] = {
    "content": ("Content losses", "loss.content"),
    "style": ("Style losses", "loss.style"),
    "pixels": ("Losses on pixels", "loss.pixels"),
}
_SECTIONS = ("", "backbone", "loss", "init", "optimizer", "logger", "study", "report")
_KINDS = {"int": "a whole number", "float": "a number", "true/false": "`true` or `false`"}


def page() -> str:
    """The whole page, Markdown as GitHub renders it."""
    sections = [_HEAD, _groups(), _keys(), _LOSSES, *_losses(), _LAYERS, _layers(), _samples()]
    return "\n".join([*sections, _SWEEPS])


def _groups() -> str:
    parts = ["## Groups\n"]
    defaults = default_choices(CONF)
    for group, meaning in GROUPS.items():
        rows = []
        for file in sorted((CONF / group).glob("*.yaml")):
            mark = " (default)" if defaults.get(group) == file.stem else ""
            rows.append([f"`{file.stem}`{mark}", _cell(first_comment(file))])
        parts += [f"### `{group}`: {meaning}\n", _table([f"`{group}=`", "what it is"], rows)]
    return "\n".join(parts)


def _keys() -> str:
    """A table for each part of the config, with the values of a run without arguments."""
    defaults, rows = to_dict(compose()), dict[str, list[list[str]]]()
    for key in documented_keys().values():
        values = _KINDS.get(key.values) or ", ".join(f"`{v}`" for v in key.values.split(", "))
        text = f"{key.text} *Values:* {values}." if key.values else key.text
        parent = key.name.rpartition(".")[0]
        rows.setdefault(parent, []).append(
            [f"`{key.name}`", _cell(text), _value(_lookup(defaults, key.name))]
        )
    unknown = set(rows) - set(_SECTIONS)
    if unknown:
        raise ValueError(f"say in _SECTIONS where the keys of {', '.join(sorted(unknown))} stand")
    parts = ["## Keys\n", "The defaults are those of `python run.py` without arguments.\n"]
    for section in _SECTIONS:
        title = f"`{section}.…`" if section else "The run"
        parts += [f"### {title}\n", _table(["key", "what it means", "default"], rows[section])]
    return "\n".join(parts)


def _lookup(config: Mapping[str, Any], name: str) -> Any:
    for part in name.split("."):
        config = config[part]
    return config


def _value(value: Any) -> str:
    """A default as YAML would have it; a mapping over several lines, which a cell may break."""
    if isinstance(value, Mapping):
        return "<br>".join(f"`{k}: {_flow(v)}`" for k, v in value.items()) or "`{}`"
    if isinstance(value, list) and len(value) > 3:
        return ", ".join(f"`{each}`" for each in value)
    return f"`{_flow(value)}`"


def _flow(value: Any) -> str:
    text: str = yaml.safe_dump(value, default_flow_style=True, width=1000, sort_keys=False)
    return text.removesuffix("...\n").strip()


def _losses() -> Iterator[str]:
    for role in get_args(Role):
        title, key = _ROLES[role]
        yield f"### {title}\n"
        for name, loss in losses(role).items():
            yield _loss(name, loss, f"{key}.{name}" if role == "pixels" else key)


def _loss(name: str, loss: type[LayerLoss], key: str) -> str:
    """What the loss's module says of it, its options, and the choices of these."""
    module = inspect.getmodule(loss)
    texts = options_in_words(inspect.getdoc(loss) or "")
    rows, lists = [], []
    for option, field in option_fields(loss).items():
        text = texts.get(option, "")
        reference = re.search(r"a key of :data:`(\w+)`", text)
        if reference:
            choices = getattr(module, reference[1])
            text = text.replace(reference[0], "one of those below")
            lists.append(_choices(option, choices))
        rows.append([f"`{key}.{option}`", _cell(_markdown(text)), f"`{field.default}`"])
    if loss.role == "pixels":
        weight = ["`loss.tv_weight`" if name == "tv" else f"`{key}.weight`", "its weight", "`0.0`"]
        rows.insert(0, weight)
    parts = [f"#### `{name}`\n", _markdown(inspect.getdoc(module) or ""), ""]
    parts.append(_table(["option", "what it means", "default"], rows) if rows else "No options.\n")
    return "\n".join([*parts, *lists])


def _choices(option: str, choices: Mapping[str, Any]) -> str:
    rows = [
        [f"`{name}`", _cell(_markdown((inspect.getdoc(function) or "").partition("\n\n")[0]))]
        for name, function in choices.items()
    ]
    return _table([f"`{option}`", "the loss, or its factor k"], rows)


def _markdown(text: str) -> str:
    """A docstring's reStructuredText as Markdown, as far as docstrings of losses use it."""
    text = re.sub(
        r"(?m)^\.\. math::((?:.*)(?:\n+    .*)*)",
        lambda m: f"```math\n{inspect.cleandoc(m[1]).strip()}\n```",
        text,
    )
    text = re.sub(r":math:`([^`]+)`", r"$\1$", text)
    text = re.sub(r":\w+:`([^`]+)`", r"`\1`", text)
    parts = re.split(r"(```math\n.*?\n```)", text, flags=re.S)  # code in words, not in formulas
    return "".join(p if p.startswith("```") else p.replace("``", "`") for p in parts)


def _layers() -> str:
    lines = [
        line
        for line in (inspect.getdoc(layer_names) or "").splitlines()
        if line.startswith("``") or line.startswith("name ")
    ]
    cells = [[_markdown(cell.strip()) for cell in re.split(r"\s{2,}", line)] for line in lines]
    parts = [_table(cells[0], cells[1:])]
    rows = [[f"`{name}`", _markdown(layer_names.summary(name))] for name in layer_names.BACKBONES]
    return "\n".join([*parts, _table(["backbone", "its layers"], rows)])


def _samples() -> str:
    photos, paintings = (", ".join(f"`{n}`" for n in names) for names in (PHOTOS, PAINTINGS))
    return (
        "## Pictures that come with the package\n\n"
        "`content`, `style` and `init.image` take the path of a file or one of these names.\n\n"
        f"- Photographs, from scikit-image's wheel (public domain or CC0): {photos}\n"
        f"- Paintings, drawn by a seeded program: {paintings}\n"
    )


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def main() -> None:
    """Write the page to the file that is given, or print it."""
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_bytes(page().encode())
    else:
        sys.stdout.buffer.write(page().encode())


if __name__ == "__main__":
    main()
