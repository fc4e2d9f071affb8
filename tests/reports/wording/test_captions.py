from __future__ import annotations

from pathlib import Path

from nst.reports.findings.studies import find_study
from nst.reports.layout import lay_out
from nst.reports.sweeps import load_sweep
from nst.reports.wording.captions import caption, captions_page, setting, sheet_caption
from tests.reports.synthetic import synthetic_sweep


def test_the_setting_says_task_pictures_network_size_steps_and_seeds(tmp_path: Path) -> None:
    swept = ("task=content", "content=coffee", "content_layer=conv_1,conv_4", "seed=0,1,2")
    assert setting(load_sweep([synthetic_sweep(tmp_path, *swept)])) == (
        "Reconstruction of a content image, content coffee, vgg16_mini (shipped weights), 24 × 16 "
        "px, 30 steps of L-BFGS, seeds 0, 1, 2; varied: content layer (conv_1, conv_4)."
    )


def test_a_texture_has_no_content_and_many_values_are_cut(tmp_path: Path) -> None:
    swept = ("task=texture", "style=ink,dabs", "seed=range(12)")
    text = setting(load_sweep([synthetic_sweep(tmp_path, *swept)]))
    assert text.startswith("Texture synthesis, style ink, dabs, vgg16_mini")
    assert "seeds 0, 1, …, 11; varied: style (ink, dabs)." in text


def test_weights_from_a_file_are_named_without_the_folder(tmp_path: Path) -> None:
    file = tmp_path / "secret place" / "mine.pth"
    folder = synthetic_sweep(tmp_path / "sweep", f"backbone.weights='{file}'", "seed=0,1")
    text = setting(load_sweep([folder]))
    assert "vgg16_mini (weights mine.pth)" in text
    assert "secret" not in text


def test_captions_begin_with_the_question_and_say_what_stands_where(tmp_path: Path) -> None:
    sweep = load_sweep([synthetic_sweep(tmp_path, study="layer_ablation")])
    study = find_study("layer_ablation")
    layout = lay_out(sweep, study)
    of_sheet = caption(sweep, study, sheet_caption(layout, layout.panels[0]))
    assert study is not None
    assert str(of_sheet).startswith(
        f"{study.question} The pictures by content layer (from left to right) and seed (from top "
        "to bottom). Reconstruction of"
    )
    page = captions_page([("contact_sheet", [".pdf", ".png"], "Figure 1", str(of_sheet))])
    assert (
        "## contact_sheet\n\nFigure 1 of the page; `contact_sheet.pdf`, `contact_sheet.png`" in page
    )
    assert str(of_sheet) in page
