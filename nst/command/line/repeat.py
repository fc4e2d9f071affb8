"""``repeat=FILE``: the command line of an earlier run again, in a folder of its own.

FILE is a picture that ``output=FILE`` wrote (:mod:`nst.runs.recording.output`), the folder of a
run, or a file within one. What stands beside ``repeat`` on the command line comes on top and wins.
Where the defaults or a picture's file changed since, a line says in what. Nothing here loads torch.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from shlex import quote
from typing import Any

import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, Glob, QuotedString
from hydra.errors import HydraException

from nst.command.line.names import key_of, one_name, runs_sweep, with_interpolation
from nst.config import GROUPS, OPEN_KEYS, WEIGHTS, documented_keys, to_dict
from nst.config.samples import SAMPLES, existing_file, expanded_path
from nst.config.values import differences, flat
from nst.errors import InputError, printable, shown

KEY = "repeat"
HELP = (
    "Run the command line of an earlier run again, in a folder of its own: FILE is a picture that "
    "output=FILE wrote, a run's folder, or a file within one. Keys beside it win."
)
"""Of ``repeat=FILE``, which is no key of the config: it stands for others."""

_RECORD, _PLAN, _OVERRIDES = "record.json", "sweep.json", ".hydra/overrides.yaml"
_ONLY_THEN = ("output", "resume", KEY)
"""Keys that concern the earlier run alone."""
_FILES = ("content", "style", "init.image", "backbone.weights")
_SIZES = ("size", "style_size")
_RENAMED = {"init.scale": "init.amplitude"}
"""Keys of earlier versions, and what they are called now."""
_MOST_NAMED = 6


@dataclass(frozen=True)
class Earlier:
    """A run as its picture or its folder remembers it.

    Attributes:
        overrides: of its command line
        config: what decided its picture; empty where it is not known
        images: {key: {source, sha256}}
        folders: where relative paths may begin, the likeliest first
        version: of nst; empty where it is not known
    """

    overrides: list[str]
    folders: list[Path]
    config: dict[str, Any] = field(default_factory=dict)
    images: dict[str, Any] = field(default_factory=dict)
    version: str = ""


def repeated(arguments: Sequence[str]) -> list[str]:
    """The command line with ``repeat=FILE`` replaced by what it stands for.

    Args:
        arguments: the command line without the program's name; without ``repeat`` it stays

    Raises:
        InputError: FILE does not say how it was made, or a picture of that run is missing.
    """
    names = [a.partition("=")[2] for a in arguments if a.startswith(f"{KEY}=")]
    if not names:
        return list(arguments)
    given = [argument for argument in arguments if not argument.startswith(f"{KEY}=")]
    if len(names) > 1:
        raise InputError(f"{KEY}={names[-1]}: expected one file, and {KEY}={names[0]} is another")
    try:
        earlier = _read(names[0])
        overrides, notes = _here(earlier, given)
        notes += _changes(earlier, overrides, given)
    except InputError as error:
        raise InputError(f"{KEY}={names[0]}: {error}") from None
    kept = [each for each in overrides if not _replaced(key_of(each), given)]
    alone = any(key_of(o) == "study" for o in kept) and not runs_sweep(given)
    _tell(f"{KEY}={names[0]}: {' '.join(map(_in_shell, [*kept, *given])) or 'all by default'}")
    for note in notes:
        _tell(f"{KEY}={names[0]}: {note}")
    return [*kept, *(["hydra.mode=RUN"] if alone else []), *given]


# --- what a file remembers ------------------------------------------------------------------------


def _read(name: str) -> Earlier:
    """What is known of the run that made a file, or whose folder it is."""
    from nst.runs.recording.output import read_origin  # Pillow: --help does without

    path = expanded_path(name)
    if not name or not path.exists():
        raise InputError("no such file; name a picture, or a run's folder as outputs/latest")
    origin = read_origin(path) if path.is_file() else None
    if origin is not None:
        beside = path.absolute().parent
        where = [beside / str(origin.get("where", "."))]
        return _earlier(origin, [*where, beside, *beside.parents], origin.get("version"))
    own = path.absolute() if path.is_dir() else path.absolute().parent
    for folder in (own, own.parent) if path.is_file() else (own,):  # snapshots/ are within
        if (earlier := _of_folder(folder)) is not None:
            return earlier
    if path.is_dir() and (path / _PLAN).is_file():
        raise InputError("the folder of a sweep; name one of its jobs' folders, which are in it")
    what = "a folder that holds no run" if path.is_dir() else "the file does not say what made it"
    raise InputError(f"{what}; name a picture that output=FILE wrote, or a run's folder")


def _of_folder(folder: Path) -> Earlier | None:
    """The run in a folder, by its record, else by what Hydra wrote; None where there is none."""
    folders = [*_where(folder), *folder.parents]
    try:
        record = json.loads((folder / _RECORD).read_text(encoding="utf-8"))
        if isinstance(record, dict) and "overrides" in record:
            versions = record.get("versions")
            known = versions.get("nst") if isinstance(versions, dict) else None
            return _earlier(record, folders, known)
    except (OSError, ValueError, RecursionError):
        pass
    overrides = _yaml(folder / _OVERRIDES)  # a run that was killed
    return _earlier({"overrides": overrides}, folders, None) if overrides is not None else None


def _where(folder: Path) -> list[Path]:
    """Where a run was started, by what Hydra wrote into its folder."""
    written = _yaml(folder / ".hydra" / "hydra.yaml")
    for key in ("hydra", "runtime"):
        written = written.get(key) if isinstance(written, dict) else None
    where = written.get("cwd") if isinstance(written, dict) else None
    return [Path(where)] if isinstance(where, str) else []


def _yaml(file: Path) -> Any:
    try:
        return yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return None


def _earlier(values: Mapping[str, Any], folders: list[Path], version: Any) -> Earlier:
    """A run by its record or its picture's metadata, which may come from anywhere.

    Raises:
        InputError: they are not as nst writes them.
    """
    overrides = values.get("overrides")
    config, images = values.get("config", {}), values.get("images", {})
    listed = isinstance(overrides, list) and all(isinstance(each, str) for each in overrides)
    described = isinstance(images, dict) and all(isinstance(v, dict) for v in images.values())
    if not listed or not described or not isinstance(config, dict):
        raise InputError("what it says of its origin is damaged")
    assert isinstance(overrides, list)
    kept = [_renamed(each) for each in overrides if key_of(each) not in _ONLY_THEN]
    for each in kept:
        if not _is_ours(each):  # a stranger's picture is not to start programs, or write anywhere
            raise InputError(f"its {printable(each)} is no override of a run's config")
    return Earlier(kept, folders, config, images, str(version or ""))


def _renamed(override: str) -> str:
    """An override by the key's name of today."""
    key = key_of(override)
    return override.replace(key, _RENAMED[key], 1) if key in _RENAMED else override


def _is_ours(override: str) -> bool:
    """Whether an override is of a key or group of ours, and its value asks no resolver.

    What a study varies is not for a picture to say: Hydra would read those texts once more.
    """
    key = key_of(override)
    names = (*documented_keys(), *GROUPS, *OPEN_KEYS)
    is_named = any(key == n or n.startswith(f"{key}.") or key.startswith(f"{n}.") for n in names)
    if not is_named or override.startswith("-"):
        return False
    try:
        value = OverridesParser.create().parse_overrides([override])[0].value()
    except (HydraException, ValueError, ArithmeticError, RecursionError):
        return False  # no run had it; taken apart at its commas it may be read after all
    if key.startswith("study") and (key not in ("study", "study.size") or isinstance(value, dict)):
        return False
    return not any(map(_asks_resolver, _texts(value)))


def _texts(value: object) -> Iterator[str]:
    """The texts in a value as Hydra reads it, each without Hydra's quotes."""
    if isinstance(value, ChoiceSweep):
        value = value.list
    elif isinstance(value, Glob):
        value = [*value.include, *value.exclude]
    if isinstance(value, Mapping):
        value = [*value.keys(), *value.values()]
    if isinstance(value, list):
        for item in value:
            yield from _texts(item)
    else:
        yield value.text if isinstance(value, QuotedString) else str(value)


def _asks_resolver(text: str) -> bool:
    r"""Whether OmegaConf may call a resolver for a text, as for ``${oc.env:HOME}``.

    The resolver's name may come from an interpolation, so any colon after a ``${`` counts. An odd
    number of backslashes before it makes it plain text.

    >>> [_asks_resolver(t) for t in ("${size}", "${a:b}", r"\${a:b}", r"\\${a:b}", "${${a}:b}")]
    [False, True, False, True, True]
    """
    opened = (match for match in re.finditer(r"(\\*)\$\{", text) if len(match[1]) % 2 == 0)
    first = next(opened, None)
    return first is not None and ":" in text[first.end() :]


# --- what it becomes here and now -----------------------------------------------------------------


def _here(earlier: Earlier, given: Sequence[str]) -> tuple[list[str], list[str]]:
    """Overrides that find the run's pictures and weights from here, and what to say of them.

    Raises:
        InputError: one of them is nowhere.
    """
    overrides, notes = list(earlier.overrides), []
    for key, source, digest in _sources(earlier):
        if _replaced(key, given) or not source or source in (*SAMPLES, *WEIGHTS):
            continue
        file = _found(source, digest, earlier.folders)
        if file is None:
            raise InputError(f"its {key}={source} is not there; name it by {key}=PATH")
        if file != source:
            overrides = [each for each in overrides if key_of(each) != key]
            overrides.append(f"{key}={one_name(file)}")
        if digest and _sha256(Path(file).expanduser()) != digest:
            notes.append(f"{key}={file} holds another picture than it did then")
    return overrides, notes


def _sources(earlier: Earlier) -> Iterator[tuple[str, str, str | None]]:
    """(key, path or name, sha256 if known) of each file that the run may have read."""
    for key in _FILES:
        written = [each for each in earlier.overrides if key_of(each) == key]
        image = earlier.images.get(key)
        if image is not None:
            digest = image.get("sha256")
            yield key, str(image.get("source")), digest if isinstance(digest, str) else None
        elif written and (not earlier.images or key == "backbone.weights"):
            yield key, _value(written[-1]), None


def _value(override: str) -> str:
    """The value of an override as plain text: without Hydra's quotes, OmegaConf's backslashes."""
    try:
        parsed = OverridesParser.create().parse_overrides([override])[0]
    except HydraException:
        return ""
    value = parsed.value()
    return with_interpolation(value.text if isinstance(value, QuotedString) else str(value))


def _found(source: str, digest: str | None, folders: Sequence[Path]) -> str | None:
    """A file as seen from here: the one of that sum, else the first of that name."""
    places = [source, *(str(folder / source) for folder in folders)]
    files = [each for each in places if existing_file(each)]
    same = (f for f in files if digest and _sha256(Path(f).expanduser()) == digest)
    file = next(same, files[0] if files else None)
    if file is None or file == source:
        return file
    real = Path(file).resolve()
    return str(real.relative_to(Path.cwd())) if real.is_relative_to(Path.cwd()) else str(real)


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _changes(earlier: Earlier, overrides: Sequence[str], given: Sequence[str]) -> list[str]:
    """What to say where the same overrides make another config than they did."""
    from nst.command.configs import compose

    if not earlier.config:
        return []
    replaced = tuple(key for key in _FILES if _replaced(key, given))
    try:
        now = compose(*(each for each in overrides if key_of(each) not in replaced))
    except InputError as error:
        if given:
            return []  # they may be what mends it; the config is checked as a whole
        raise InputError(f"its overrides do not work any more: {error}") from None
    # size=original: that number is a picture's, and no default
    sized = {key_of(o) for o in overrides if key_of(o) in _SIZES and _value(o) == "original"}
    before = {_RENAMED.get(key, key): value for key, value in flat(earlier.config)}
    changed = [
        f"{key} ({_short(old)} → {_short(new)})"
        for key, old, new in differences(before, to_dict(now))
        if key not in _FILES and key not in sized
    ]
    if not changed:
        return []
    more = len(changed) - _MOST_NAMED
    named = ", ".join(changed[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
    by = f" (it was made by nst {earlier.version})" if earlier.version else ""
    return [f"the defaults changed since{by}, so the picture may be another: {named}"]


def _short(value: Any) -> str:
    text = shown(value)
    return text if len(text) <= 40 else f"{text[:36]} …"


# --- overrides ------------------------------------------------------------------------------------


def _replaced(key: str, given: Sequence[str]) -> bool:
    """Whether a key is given now; a loss by its name replaces another one's options, too."""
    keys = [key_of(each) for each in given if "=" in each or each.startswith("~")]
    options = [each for each in keys if each in OPEN_KEYS and key.startswith(f"{each}.")]
    return key in keys or bool(options)


def _in_shell(override: str) -> str:
    """An override as a person would type it."""
    return (
        f'"{override}"' if re.fullmatch(r"[^\"$`\\!]*'[^\"$`\\!]*", override) else quote(override)
    )


def _tell(line: str) -> None:
    print(printable(line), file=sys.stderr, flush=True)
