"""Names: of files, as Hydra's grammar takes them (umlauts, brackets, =, ~), and of runs."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from nst.config import GROUPS, WEIGHTS, documented_keys
from nst.config.samples import SAMPLES, source_file
from nst.config.values import UNNAMED_KEYS

PICTURE_KEYS = ("content", "style", "init.image")
"""Keys whose values name pictures."""

FILE_KEYS = (*PICTURE_KEYS, "backbone.weights", "report.judge_weights")
"""Keys whose values name files; in a sweep a comma separates them."""

_TEXTS = (
    *("output", "hydra.run.dir", "hydra.sweep.dir", "hydra.sweep.subdir"),
    *("logger.project", "logger.entity", "logger.group"),
)
"""Keys of other text, which is not swept over."""

_HYDRAS_OWN = re.compile(
    r"(choice|range|interval|glob|sort|shuffle|tag|str|int|float|bool)\s*\(.*\)|\[.*\]|\{.*\}",
    re.DOTALL,
)
_PART = re.compile(
    r"""\s*('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")\s*(?=,|$)|(\$\{[^}]*\}|[^,])*""", re.DOTALL
)
"""What stands between two commas: a quoted text, or anything whose commas are in ``${…}``."""

_PLAIN = re.compile(r"[\w./-]*", re.ASCII)

_LONGEST_NAME = 8
"""A name with commas in it is looked for in up to so many parts of a list."""

_UNREADABLE = object()


def quote_paths(arguments: Sequence[str]) -> list[str]:
    """Quote names that Hydra's grammar would misread; its own syntax for sweeps stays.

    A value that names a file as a whole is that file. In a sweep any other value is taken apart at
    its commas first.

    >>> quote_paths(["content=photo (1).jpg", "size=64"])
    ["content='photo (1).jpg'", 'size=64']
    >>> quote_paths(["-m", "content=größe.png,b.png", "style=choice(ink, waves)"])
    ['-m', "content='größe.png',b.png", 'style=choice(ink, waves)']
    """
    sweep = is_sweep(arguments)
    return [_quote(argument, sweep) for argument in arguments]


def is_sweep(arguments: Sequence[str]) -> bool:
    """Whether a command line asks for a sweep."""
    flags = ("-m", "--m", "--mu", "--mul", "--mult", "--multi", "--multir", "--multiru")
    return bool({*flags, "--multirun", "hydra.mode=MULTIRUN"} & set(arguments))


def runs_sweep(arguments: Sequence[str]) -> bool:
    """Whether a command line makes a sweep: it asks for one, or names a study, which is one."""
    study = any(re.match(r"\+{0,2}study=(?!null$)", argument) for argument in arguments)
    return is_sweep(arguments) or (study and "hydra.mode=RUN" not in arguments)


def key_of(override: str) -> str:
    """The key or group of an override.

    >>> key_of("++loss.style.name=gram"), key_of("~preset")
    ('loss.style.name', 'preset')
    """
    return override.partition("=")[0].lstrip("+~")


def is_of_files(key: str) -> bool:
    """Whether the values of a key are names of files."""
    return key in FILE_KEYS


def _quote(argument: str, sweep: bool) -> str:
    match = re.fullmatch(r"(\+{0,2}([\w.]+)=)(.*)", argument, re.DOTALL)
    if not match or match[2] not in (*FILE_KEYS, *_TEXTS):
        return argument
    head, key, value = match.groups()
    if key in _TEXTS:
        return head + (quoted(value) if _read(value) is _UNREADABLE else value)
    return head + _names(value, sweep)


def _names(value: str, sweep: bool) -> str:
    """One name, or several with commas between them."""
    if not value or _is_file(value):
        return one_name(value)
    if _HYDRAS_OWN.fullmatch(value):
        return value
    names = split_names(value)
    several = len(names) > 1 and (sweep or any(_leads_somewhere(name) for name in names))
    if not several:
        return one_name(value)
    if _read(value) is not _UNREADABLE and not any(_is_file(name) for name in names):
        return value
    return ",".join(one_name(name) for name in names)


def split_names(value: str) -> list[str]:
    """The names in a value, which commas outside of quotes separate.

    Parts that name a file together, with the comma between them, are one name.

    >>> split_names("a.png, 'b, c.png',d")
    ['a.png', "'b, c.png'", 'd']
    """
    parts, end = [], -1
    while end < len(value):
        match = _PART.match(value, end + 1)
        assert match is not None
        parts.append(match[0])
        end = match.end()
    names: list[str] = []
    while parts:
        longest = range(min(_LONGEST_NAME, len(parts)), 1, -1)
        joined = ((n, ",".join(parts[:n])) for n in longest)
        candidates = ((n, each) for n, text in joined for each in (text, text.strip()))
        first = parts[0] if _is_file(parts[0]) else parts[0].strip()
        count, name = next(((n, each) for n, each in candidates if _is_file(each)), (1, first))
        names.append(name)
        parts = parts[count:]
    return names


def one_name(name: str) -> str:
    """One name as a value of Hydra's grammar: quoted where Hydra would not read it as it stands."""
    is_file = _is_file(name)
    if is_file and _means_more(name):
        name = _here(name)
    if is_file and not (_PLAIN.fullmatch(name) and _read(name) == name):
        return quoted(_without_interpolation(name))
    return quoted(name) if _read(name) is _UNREADABLE else name


def _read(value: str) -> object:
    """What Hydra reads as the one value of a key; several values are unreadable, too."""
    try:
        override = OverridesParser.create().parse_rule(f"key={value}", "override")
    except (HydraException, ValueError, RecursionError):
        return _UNREADABLE
    return override.value()


def _without_interpolation(text: str) -> str:
    """A text in which OmegaConf is to resolve nothing."""
    return re.sub(r"(\\*)\$\{", r"\1\1\\${", text)


def with_interpolation(text: str) -> str:
    r"""A text as OmegaConf reads it where it resolves nothing: the way back.

    >>> print(with_interpolation(r"a\${b}"), with_interpolation(r"a\\\${b}"))
    a${b} a\${b}
    """
    return re.sub(r"((?:\\\\)*)\\\$\{", lambda found: found[1][::2] + "${", text)


def _is_file(name: str) -> bool:
    return source_file(_here(name) if _means_more(name) else name) is not None


def _means_more(name: str) -> bool:
    """Whether a name of a file in this folder is a home's, or OmegaConf's for a missing value."""
    return name == "???" or (name.startswith("~") and source_file(_here(name)) is not None)


def _here(name: str) -> str:
    return str(Path.cwd() / name)


def _leads_somewhere(name: str) -> bool:
    return name in (*SAMPLES, *WEIGHTS) or _is_file(name)


def quoted(text: str) -> str:
    r"""Any text as one value of Hydra's grammar, where a backslash counts before a quote only.

    >>> print(quoted("it's"), quoted("'\""), quoted("C:\\a"), quoted("b\\"))
    "it's" '\'"' 'C:\a' 'b\\'
    """
    if "'" in text and not set(text) & {'"', "\\"}:
        return f'"{text}"'
    escaped = re.sub(r"(\\*)'", r"\1\1\\'", text)
    return "'" + re.sub(r"(\\+)$", r"\1\1", escaped) + "'"


_RESERVED = {
    "con",
    "prn",
    "aux",
    "nul",
    *(f"{port}{n}" for port in ("com", "lpt") for n in range(10)),
}
"""What Windows keeps for devices, whatever follows after a dot."""


def slug(overrides: str, limit: int = 100) -> str:
    """Overrides as a short, safe name, which labels a run; changed ones end in a hash of the whole.

    It can name a folder, too: ASCII without slashes, no dot at either end, far fewer than the 255
    bytes that file systems take, and no name of a device.

    >>> slug("content_layer=conv_1,seed=0")
    'content_layer=conv_1,seed=0'
    >>> slug("")
    'default'
    """
    overrides = re.sub(r"(^|,)\++", r"\1", overrides)
    safe = re.sub(r"[^A-Za-z0-9_.,=+-]+", "-", overrides).strip("-.")
    if safe.partition(".")[0].lower() in _RESERVED:
        safe = f"_{safe}"
    if not overrides or (safe == overrides and len(safe) <= limit):
        return safe or "default"
    digest = hashlib.sha256(overrides.encode(errors="backslashreplace")).hexdigest()
    return f"{safe[: limit - 9]}-{digest[:8]}".lstrip("-.")


def unnamed_keys() -> list[str]:
    """Keys and groups that are left out of runs' names: they tell no two pictures apart."""
    keys = dict.fromkeys((*documented_keys(), *GROUPS))
    return [key for key in keys if key.partition(".")[0] in UNNAMED_KEYS]
