"""What the losses say of themselves, read from their files: importing them would load torch."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nst.losses


@dataclass(frozen=True)
class LossInWords:
    """A loss as its file describes it.

    Attributes:
        name: as in ``loss.style=NAME``
        key: where it stands in the config, as ``loss.style`` or ``loss.pixels.tv``
        summary: the first line of its module
        options: {option: (its text, its default as Python writes it)}
    """

    name: str
    key: str
    summary: str
    options: dict[str, tuple[str, str]]


@functools.cache
def losses_in_words() -> tuple[LossInWords, ...]:
    """Every loss of :mod:`nst.losses`, in the order of names within each role."""
    files = sorted(file for folder in nst.losses.__path__ for file in Path(folder).glob("*.py"))
    found = [loss for file in files for loss in _losses_of(file)]
    return tuple(sorted(found, key=lambda loss: (loss.key, loss.name)))


def _losses_of(file: Path) -> Iterator[LossInWords]:
    module = ast.parse(file.read_text(encoding="utf-8"))
    for node in module.body:
        if not isinstance(node, ast.ClassDef):
            continue
        fields = {
            item.target.id: item.value
            for item in node.body
            if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name) and item.value
        }
        name, role = (_text(fields.pop(field, None)) for field in ("name", "role"))
        if not name or not role:
            continue
        texts = options_in_words(ast.get_docstring(node) or "")
        options = {
            option: (_plain(text, module), ast.unparse(fields[option]).strip("'"))
            for option, text in texts.items()
        }
        key = f"loss.pixels.{name}" if role == "pixels" else f"loss.{role}"
        summary = (ast.get_docstring(module) or "").partition("\n")[0]
        yield LossInWords(name, key, _plain(summary, module), options)


def _text(node: ast.expr | None) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def options_in_words(docstring: str) -> dict[str, str]:
    """{option: its text} from the section ``Attributes`` of a class's docstring."""
    section = docstring.partition("Attributes:\n")[2].partition("\n\n")[0]
    entries = re.findall(r"(?m)^    (\w+): (.*(?:\n {8}.*)*)", section)
    return {name: re.sub(r"\s+", " ", text) for name, text in entries}


def _plain(text: str, module: ast.Module) -> str:
    """A docstring's reStructuredText in words; a mapping that it refers to by its keys."""
    for reference, name in re.findall(r"(a key of :data:`(\w+)`)", text):
        text = text.replace(reference, f"one of {', '.join(_keys_of(name, module))}")
    return re.sub(r":\w+:`([^`]+)`", r"\1", text).replace("``", "")


def _keys_of(name: str, module: ast.Module) -> list[str]:
    """The keys of a mapping that a module defines."""
    (mapping,) = (
        node.value
        for node in module.body
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == name
    )
    assert isinstance(mapping, ast.Dict)
    return [_text(key) for key in mapping.keys]
