"""``--help`` in three layers: one screen, one thing, everything.

What a word means is in :mod:`nst.command.help.topics`. Here is which page a command line asks for;
it is answered before Hydra reads any of it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from nst.command.configs import CONF
from nst.command.help.lists import default_choices, help_groups, help_keys, help_samples
from nst.command.help.topics import topic
from nst.config import documented_keys
from nst.errors import shown

_ASKS = ("-h", "--help", "--hel", "--he")
_TAKES_A_VALUE = (
    *("--cfg", "-c", "--package", "-p", "--info", "-i"),
    *("--config-path", "-cp", "--config-name", "-cn", "--config-dir", "-cd"),
)
"""Flags of Hydra, and what stands behind them is no key."""

_COMMANDS = """\
  python run.py                                      bundled pictures
  python run.py content=me.jpg style=painting.jpg    your own
  python run.py task=texture style=mosaic size=256   a texture
  python run.py -m style=swirl,ink strength=0.3,0.6  a sweep: four, compared
  python run.py -m study=weights study.size=quick    a study of the literature
"""

_OFTEN = {
    "content": "the photograph: a file, or the name of a sample",
    "style": "the painting: a file, or the name of a sample",
    "strength": "how much style, from 0 to 1",
    "style_size": "pixels of the painting; fewer make finer strokes",
    "size": "longest side of the result, in pixels",
    "quality": "draft (seconds), good, or best (large, and minutes)",
    "task": "transfer, texture (style alone) or content",
    "backbone": "the network; vgg19 is that of the papers (548 MB, once)",
    "seed": "another picture, where the start is noise",
    "output": "where to save the picture too: a PNG, JPEG or WebP",
}
"""The ten keys that people use."""

_UNSET = {"style_size": "size", "quality": "good", "output": "none"}
"""What a key without a value comes to."""

_FIRST = f"""\
nst paints a photograph in the style of another picture: neural style transfer.
It changes pixels until a network sees the one's content and the other's style.

{_COMMANDS}
{{keys}}

  --help KEY   one thing: --help strength, --help backbone, --help init=noise
  --help all   every key and every choice
  In plain words: docs/for-artists.md. As tables: docs/configuration.md."""

_ALL = f"""\
nst: neural style transfer. The pixels of an image are changed until a frozen
network sees the content of one picture and the style of another in it.

{_COMMANDS}
A run lands in outputs/: image.png, sheet.png, trace.csv, record.json.
{{samples}}

== Groups (group=choice) ==
{{groups}}

== Keys (key=value) ==
{{keys}}

== More ==
-m runs every combination of key=a,b,c. A folder of pictures, or a pattern in
quotes, stands for all of them: -m content=photos/
-m hydra/launcher=batched runs several jobs at once, as one batch of images:
up to hydra.launcher.max_batch=8, or as many as fit into memory with =auto.
Options of a loss are keys below it, as loss.style.activation_shift=0.3.
report=false leaves out the report of a sweep, as report.enabled=false does.
repeat=FILE runs the command line of an earlier run again.
--cfg job prints the composed config, --hydra-help what Hydra itself offers."""


def answered(arguments: Sequence[str]) -> bool:
    """Print the page that a command line asks for; whether it asks for one.

    Args:
        arguments: the command line without the program's name

    Raises:
        InputError: it asks for help on what does not exist.
    """
    page = asked(arguments)
    if page is None:
        return False
    try:
        print(page.replace("python run.py", _program()), flush=True)
    except BrokenPipeError:  # the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return True


def asked(arguments: Sequence[str]) -> str | None:
    """The page that a command line asks for; None if it asks for none.

    ``--help`` explains every word that stands beside it, before or after.

    Raises:
        InputError: a word is no key, group or choice.
    """
    words, asks, skip = list[str](), False, False
    for argument in arguments:
        flag, _, value = argument.partition("=")
        if argument in _ASKS or flag == "--help":
            asks = True
            words += [value] if value else []
        elif not skip and (not argument.startswith("-") or argument in ("-m", "--multirun")):
            words.append(argument)
        skip = argument in _TAKES_A_VALUE
    if not asks:
        return None
    if not words:
        return first_page()
    if "all" in words:
        return everything()
    return "\n\n".join(topic(word) for word in dict.fromkeys(words))


def first_page() -> str:
    """One screen: what the program does, five commands, ten keys, and where to read on."""
    values = {name: key.default for name, key in documented_keys().items()}
    defaults = {**values, **default_choices(CONF)}
    lines = []
    for name, text in _OFTEN.items():
        default = _UNSET[name] if defaults[name] is None else shown(defaults[name])
        lines.append(f"  {name:<11}{default:<11} {text}")
    return _FIRST.format(keys="\n".join(lines))


def everything() -> str:
    """Every group with its choices, and every key."""
    return _ALL.format(samples=help_samples(), groups=help_groups(CONF), keys=help_keys())


def _program() -> str:
    """How the program was called."""
    name = Path(sys.argv[0]).name
    return {"run.py": "python run.py", "__main__.py": "python -m nst"}.get(name, "nst")
