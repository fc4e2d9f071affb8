"""``table.tex`` by its structure: no LaTeX is needed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nst.reports.sweeps import load_sweep
from nst.reports.wording.latex import escape, latex_table
from tests.reports.synthetic import synthetic_sweep


def rows_of(text: str) -> list[list[str]]:
    """The cells of every row, heads too."""
    lines = [line for line in text.splitlines() if line.endswith(r"\\")]
    return [re.split(r"(?<!\\) & ", line.removesuffix(r" \\")) for line in lines]


def test_the_table_has_the_parts_that_booktabs_wants(tmp_path: Path) -> None:
    folder = synthetic_sweep(tmp_path, "task=content", "content_layer=conv_1,conv_4", "seed=0,1,2")
    text = latex_table(load_sweep([folder]), "What a layer_keeps.")
    comments = [line for line in text.splitlines() if line.startswith("%")]
    assert "% What a layer_keeps." in comments
    assert any("python run.py -m task=content" in line for line in comments)
    assert re.search(r"\\begin\{tabular\}\{@\{\}lr+@\{\}\}\n\\toprule\n", text)
    for part in (r"\midrule", r"\bottomrule", r"\end{tabular}"):
        assert text.count(part) == 1
    heads, *rows = rows_of(text)
    assert heads[:3] == ["content layer", "n", "PSNR, dB"]
    assert [row[:2] for row in rows] == [[r"conv\_1", "3"], [r"conv\_4", "3"]]
    assert all(re.fullmatch(r"\$[\d.]+ \\pm [\d.]+\$", row[2]) for row in rows)
    (columns,) = re.findall(r"@\{\}(l+r+)@\{\}", text)
    assert {len(row) for row in (heads, *rows)} == {len(columns)}
    assert text.count("$") % 2 == 0


def test_the_table_is_at_most_a_page_wide_and_high(tmp_path: Path) -> None:
    layers = ",".join(f"conv_{k}" for k in range(1, 11))
    axes = ["task=content", f"content_layer={layers}", "size=16,24,32,48,64"]
    text = latex_table(load_sweep([synthetic_sweep(tmp_path, *axes)]), "")
    assert text.count(r"\begin{tabular}") == 2
    for row in rows_of(text):
        assert len("  ".join(row).replace("$", "").replace(r"\pm", "±")) < 100


@pytest.mark.parametrize(
    ("text", "latex"),
    [
        ("a_b & 50% #1 {x} $", r"a\_b \& 50\% \#1 \{x\} \$"),
        ("192 × 128 − ±2·10⁻⁵", r"192 $\times$ 128 $-$ $\pm$2$\cdot$10$^-$$^5$"),
        (r"C:\~^", r"C:\textbackslash{}\textasciitilde{}\textasciicircum{}"),
        ("Tübingen, ﬁ, ж, 猫", "Tübingen, f, ?, ?"),
        ("loss log₁₀ → α", r"loss log$_1$$_0$ $\to$ $\alpha$"),
    ],
)
def test_any_text_is_escaped(text: str, latex: str) -> None:
    assert escape(text) == latex
