from __future__ import annotations

import csv
from pathlib import Path

import pytest
import torch
from PIL import Image

from experiments.backbone import judge as judge_backbone
from nst.backbones.load import load_backbone
from nst.pictures.samples import load_image


@pytest.mark.slow
def test_the_style_itself_has_no_error() -> None:
    judge = load_backbone("squeezenet1_0", "random")
    style, other = load_image("swirl", 48), load_image("coffee", 48)
    assert judge_backbone.gram_error(judge, style, style) == 0
    near, far = style * 0.98, other
    errors = [judge_backbone.gram_error(judge, x, style) for x in (near, far)]
    assert 0 < errors[0] < errors[1]


@pytest.mark.slow
def test_candidates_make_a_table_and_sheets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    judge = load_backbone("squeezenet1_0", "random")
    state = {
        f"{i}.{key}": value.contiguous()
        for i, module in enumerate(judge.chain.values())
        for key, value in module.state_dict().items()
    }
    torch.save(state, tmp_path / "judge.pth")
    common = f"--judge {tmp_path}/judge.pth --output {tmp_path}/out --size 32"
    common += " --contents coffee --styles ink mosaic --override optimizer.steps=1 loss.tv_weight=1"
    for weights in ("shipped", "random"):
        command = f"judge_backbone --name {weights} --weights {weights} {common}"
        monkeypatch.setattr("sys.argv", command.split())
        judge_backbone.main()
    with (tmp_path / "out" / "table.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == ["shipped", "random"]
    assert all(float(row["texture"]) > 0 for row in rows)
    assert set(judge_backbone.RECONSTRUCTED) <= set(rows[0])
    with Image.open(tmp_path / "out" / "shipped_32.jpg") as sheet:
        assert sheet.height > 2 * 160
    assert "texture" in capsys.readouterr().out
