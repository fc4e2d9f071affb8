r"""``table.tex``: means over seeds as a table for a paper, with ``\usepackage{booktabs}``."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from nst.reports.measuring.quantities import quantity
from nst.reports.sweeps import Axis, Sweep
from nst.reports.tables import Group, Spread, axes_of_groups, groups, quality, told_columns
from nst.reports.wording.labels import printable

_WIDTH = 92
"""Characters that fit a page's width beside each other, in ten points."""
_HEIGHT = 45
"""Rows that fit a page below each other."""

_SPECIAL = {
    **{c: f"\\{c}" for c in "&%$#_{}"},
    **{"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"},
    **{"<": "$<$", ">": "$>$", "|": "$|$", '"': "''"},
    **{"−": "$-$", "×": r"$\times$", "±": r"$\pm$", "·": r"$\cdot$", "–": "--", "—": "---"},
    **{"…": r"\dots{}", "≤": r"$\leq$", "≥": r"$\geq$", "‖": r"$\|$", "→": r"$\to$"},
    **{"’": "'", "‘": "`", "“": "``", "”": "''", "°": r"$^\circ$", "µ": r"$\mu$", "μ": r"$\mu$"},
    **{"α": r"$\alpha$", "β": r"$\beta$", "σ": r"$\sigma$"},
    **{c: f"$^{d}$" for c, d in zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-", strict=True)},
    **{c: f"$_{d}$" for c, d in zip("₀₁₂₃₄₅₆₇₈₉", "0123456789", strict=True)},
}
_LATIN = 0x17F
"""The last letter that LaTeX knows without further packages, in Latin Extended-A."""


def latex_table(sweep: Sweep, caption: str) -> str:
    """The main columns of the sweep's groups, in parts of at most a page.

    Args:
        sweep: a group is what differs in its seed alone
        caption: goes into a comment, as does the command

    >>> escape("style_weight 50 % × 3 − é ж")
    'style\\\\_weight 50 \\\\% $\\\\times$ 3 $-$ é ?'
    """
    rows = groups(sweep)
    columns = _main_columns(sweep, rows)
    heads = [*(axis.label for axis in axes_of_groups(sweep)), *_heads(columns)]
    lines = [_cells(row, columns, axes_of_groups(sweep)) for row in rows]
    parts = [lines[start : start + _HEIGHT] for start in range(0, len(lines), _HEIGHT)]
    comment = [
        *_comment(caption),
        *_comment(sweep.command or "made by hand"),
        "% Mean ± standard deviation over seeds; needs \\usepackage{booktabs}.",
    ]
    tables = ["\n".join(_tabular(heads, part, len(columns))) for part in parts]
    return "\n".join(comment) + "\n" + "\n\n".join(tables) + "\n"


def escape(text: str) -> str:
    """Any text as LaTeX sets it; letters that it does not know become their base letter or ?."""
    return "".join(_SPECIAL.get(character) or _letter(character) for character in text)


def _cell(text: str) -> str:
    """A cell: behind the end of a row, a bracket or a star would belong to that."""
    return f"{{}}{text}" if text[:1] in ("[", "*") else text


def _letter(character: str) -> str:
    if ord(character) <= _LATIN and character.isprintable():
        return character
    base = unicodedata.normalize("NFKD", character)[0]
    return base if base.isascii() and base.isalnum() else " " if character.isspace() else "?"


def number(spread: Spread) -> str:
    r"""A mean with its spread in math mode.

    >>> print(number(Spread(45.7812, 0.0213)), number(Spread(6.53e-05, 2e-07)))
    $45.78 \pm 0.02$ $(6.530 \pm 0.020) \cdot 10^{-5}$
    """
    text = str(spread)
    if text == "–":
        return "--"
    body, _, power = text.partition("·10")
    raised = "".join(str("⁰¹²³⁴⁵⁶⁷⁸⁹".find(c)) if c != "⁻" else "-" for c in power)
    body = body.replace("±", r"\pm")
    return f"${body} \\cdot 10^{{{raised}}}$" if raised else f"${_power_of_ten(body)}$"


def _power_of_ten(text: str) -> str:
    r"""``1e-05`` as ``1 \cdot 10^{-5}``."""
    mantissa, e, exponent = text.partition("e")
    return f"{mantissa} \\cdot 10^{{{int(exponent)}}}" if e else text


def _main_columns(sweep: Sweep, rows: Sequence[Group]) -> list[str]:
    """As many metrics as fit beside the axes: of the picture, else losses; then the time."""
    told = told_columns(sweep)
    wanted = quality(sweep) or [column for column in told if column.startswith("losses.")]
    wanted = [column for column in (*wanted, "seconds_per_step") if column in told]
    room = _WIDTH - sum(_axis_width(sweep))
    chosen: list[str] = []
    for column in wanted:
        width = 2 + max(
            [len(quantity(column).label), *(len(str(row.numbers[column])) for row in rows)]
        )
        if width <= room or not chosen:
            chosen.append(column)
            room -= width
    return chosen


def _axis_width(sweep: Sweep) -> list[int]:
    axes = axes_of_groups(sweep)
    return [4, *(2 + max(map(len, (axis.label, *axis.labels))) for axis in axes)]


def _heads(columns: Sequence[str]) -> list[str]:
    return ["n", *(quantity(column).label for column in columns)]


def _cells(row: Group, columns: Sequence[str], axes: Sequence[Axis]) -> list[str]:
    named = (axis.short(value) for axis, value in zip(axes, row.values, strict=True))
    values = [_cell(escape(name)) for name in named]
    return [*values, str(row.count), *(number(row.numbers[column]) for column in columns)]


def _tabular(heads: Sequence[str], lines: Sequence[Sequence[str]], numbers: int) -> list[str]:
    texts = len(heads) - numbers - 1
    return [
        rf"\begin{{tabular}}{{@{{}}{'l' * texts}{'r' * (numbers + 1)}@{{}}}}",
        r"\toprule",
        " & ".join(escape(head) for head in heads) + r" \\",
        r"\midrule",
        *(" & ".join(line) + r" \\" for line in lines),
        r"\bottomrule",
        r"\end{tabular}",
    ]


def _comment(text: str) -> list[str]:
    return [f"% {printable(line)}" for line in text.splitlines()]
