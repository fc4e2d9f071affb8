"""Folders and patterns of pictures: under ``-m``, ``content=photos/`` is a sweep over its pictures.

A folder means the pictures right in it, a pattern as ``photos/*.jpg`` those that it matches, in
natural order (2 before 10). Hidden files, and files whose ending is not a picture's, are left out.
"""

from __future__ import annotations

import glob
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from nst.command.line.names import PICTURE_KEYS, one_name, runs_sweep, split_names
from nst.config.samples import SAMPLES, existing_file, existing_folder
from nst.errors import InputError

_MOST = 10_000
_BATCHED = "hydra/launcher=batched"
_TOGETHER = "pictures of one size are made at once; hydra/launcher=basic makes one after the other"
_GIVEN = re.compile(r"(\+{0,2}([\w.]+)=)(.+)", re.DOTALL)
_QUOTED = re.compile(r"'[^'\\]*'|\"[^\"\\]*\"")
_PATTERN = re.compile(r"[*?]|\[.+\]", re.DOTALL)
_HYDRAS_OWN = re.compile(r"\w+\(.*\)|\[.*\]|\{.*\}|.*\$\{.*", re.DOTALL)


@dataclass(frozen=True)
class Pictures:
    """Several pictures by one name.

    Attributes:
        key: that was given them
        name: of the folder, or the pattern
        is_folder: which of the two
        files: the pictures, in natural order; at least one
    """

    key: str
    name: str
    is_folder: bool
    files: tuple[str, ...]

    def __str__(self) -> str:
        """How many there are, for the log."""
        verb = "in" if self.is_folder else "matches" if len(self.files) == 1 else "match"
        return f"{_count(len(self.files))} {verb} {self.name}"


def expanded(arguments: Sequence[str]) -> list[str]:
    """The command line with every picture named that its folders and patterns mean.

    The same key several times with a picture each, as a shell leaves it of a pattern, is one sweep.
    Runs over a folder or a pattern share batches, unless another launcher is named.

    Raises:
        InputError: no sweep is asked for, or there is no picture.
    """
    sweep = runs_sweep(arguments)
    named = []
    for argument in arguments:
        parts = list(_parts(argument))
        several = [part for part in parts if isinstance(part, Pictures)]
        if several and not sweep:
            raise InputError(_without_sweep(several[0]))
        if several and _BATCHED not in named and not _names_launcher(arguments):
            named.append(_BATCHED)
        named.append(_with_all(argument, parts) if several else argument)
    return _joined(named) if sweep else named


def said(arguments: Sequence[str]) -> list[str]:
    """What the folders and patterns of a sweep's command line mean, a line each for the log."""
    parts = [part for each in arguments for part in _parts(each)]
    lines = [str(part) for part in parts if isinstance(part, Pictures)]
    return [*lines, _TOGETHER] if lines and not _names_launcher(arguments) else lines


def _names_launcher(arguments: Sequence[str]) -> bool:
    return any(argument.lstrip("+").startswith("hydra/launcher=") for argument in arguments)


def _parts(argument: str) -> Iterator[str | Pictures]:
    """The values of an override that names pictures; nothing of another argument."""
    match = _GIVEN.fullmatch(argument)
    if match is None or match[2] not in PICTURE_KEYS:
        return
    key, value = match[2], match[3]
    whole = _is_picture(value) or _is_several(value)
    if not whole and _HYDRAS_OWN.fullmatch(value):
        return
    for name in [value] if whole else split_names(value):
        bare = name[1:-1] if _QUOTED.fullmatch(name) and not _is_picture(name) else name
        yield (None if _is_picture(bare) else _pictures(key, bare)) or name


def _is_several(name: str) -> bool:
    """Whether it is a folder, or a pattern that matches something."""
    return existing_folder(name) is not None or bool(_PATTERN.search(name) and _matches(name))


def _is_picture(name: str) -> bool:
    return name in SAMPLES or existing_file(name) is not None


def _pictures(key: str, name: str) -> Pictures | None:
    """The pictures of a folder or a pattern; None where the name is neither.

    Raises:
        InputError: there is none, or one whose name is no text.
    """
    folder = existing_folder(name)
    if folder is None and not _PATTERN.search(name):
        return None
    there = _inside(key, folder) if folder else _matches(name)
    files = [file for file in there if file.is_file()]
    readable = _readable()
    pictures = [str(file) for file in files if file.suffix.lower() in readable]
    if not pictures:
        raise InputError(f"{key}={name}: {_no_picture(folder is not None, files)}")
    if len(pictures) > _MOST:
        raise InputError(f"{key}={name}: {_count(len(pictures))}; a sweep has {_MOST} jobs at most")
    for file in pictures:
        if re.search("[\0\ud800-\udfff]", file):
            raise InputError(f"{key}={file}: expected text in UTF-8; rename the file")
    return Pictures(key, name, folder is not None, tuple(sorted(pictures, key=_naturally)))


def _inside(key: str, folder: Path) -> list[Path]:
    """What is in a folder and not hidden.

    Raises:
        InputError: it cannot be read.
    """
    try:
        return [each for each in folder.iterdir() if not each.name.startswith(".")]
    except OSError as error:
        raise InputError(f"{key}={folder}: {error.strerror}; name a folder of pictures") from None


def _matches(pattern: str) -> list[Path]:
    """What a pattern matches and is not hidden; folders that are there mean themselves."""
    whole = Path(pattern).expanduser() if pattern.startswith("~/") else Path(pattern)
    plain = (each for each in whole.parents if not _PATTERN.search(str(each)) or each.is_dir())
    folder = next(plain)  # at the latest this one, or the root
    rest = str(whole.relative_to(folder))
    try:
        matches = glob.glob(rest, root_dir=folder, recursive=True)  # noqa: PTH207 (hidden files)
    except (OSError, ValueError):  # too long, a NUL
        return []
    return [folder / match for match in matches]


def _readable() -> frozenset[str]:
    from nst.pictures.reading import endings  # imports Pillow, which few command lines need

    return endings()


def _naturally(file: str) -> list[tuple[int, str]]:
    """A key that sorts numbers by their values and letters without their case.

    >>> sorted(["b10.png", "b2.png", "A.png"], key=_naturally)
    ['A.png', 'b2.png', 'b10.png']
    """
    parts = re.split(r"([0-9]+)", file.casefold())
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]


def _no_picture(is_folder: bool, files: Sequence[Path]) -> str:
    """Why there is nothing to take."""
    endings = Counter(file.suffix.lower() or "no ending" for file in files).most_common(3)
    has = f"; it has {', '.join(f'{n} × {ending}' for ending, n in endings)}" if endings else ""
    if is_folder:
        return f"a folder without a picture that can be read (JPEG, PNG, WebP, …){has}"
    if not files:
        return "no such file, and no picture that this pattern matches"
    return f"a pattern that matches no picture that can be read (JPEG, PNG, WebP, …){has}"


def _without_sweep(pictures: Pictures) -> str:
    """What to say where a run has one picture and several are named."""
    files, said = pictures.files, "a folder of" if pictures.is_folder else "a pattern that matches"
    what = f"{pictures.key}={pictures.name}: {said} {_count(len(files))}"
    if len(files) == 1:
        return f"{what}; name it, as {pictures.key}={files[0]}"
    return f"{what}; add -m for a run of each"


def _count(number: int) -> str:
    return "1 picture" if number == 1 else f"{number} pictures"


def _with_all(argument: str, parts: Sequence[str | Pictures]) -> str:
    """An override with its folders and patterns replaced by their pictures, each once."""
    match = _GIVEN.fullmatch(argument)
    assert match is not None
    names = [p.files if isinstance(p, Pictures) else (p,) for p in parts]
    return match[1] + ",".join(dict.fromkeys(one_name(name) for each in names for name in each))


def _joined(arguments: Sequence[str]) -> list[str]:
    """One override in place of several of one key that name a picture each."""
    names: dict[str, list[str]] = {}
    for argument in arguments:
        match = _GIVEN.fullmatch(argument)
        if match and match[2] in PICTURE_KEYS and existing_file(match[3]):
            names.setdefault(match[1], []).append(match[3])
    joined = list(arguments)
    for head, several in names.items():
        if len(several) > 1:
            place = joined.index(f"{head}{several[0]}")
            joined = [each for each in joined if each not in {f"{head}{n}" for n in several}]
            joined.insert(place, head + ",".join(map(one_name, dict.fromkeys(several))))
    return joined
