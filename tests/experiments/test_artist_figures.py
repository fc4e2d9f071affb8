from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from PIL import Image

from experiments import artist_figures
from nst.command.plan import expand_sweep
from tests.test_docs import ROOT, commands

PAGE = ROOT / "docs" / "for-artists.md"


def test_every_picture_is_made_by_a_command_of_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = [
        set(job)
        for command in commands(PAGE)
        for job in expand_sweep([word for word in shlex.split(command)[2:] if word != "-m"])
    ]
    made = []

    def picture(folder: Path, *overrides: str) -> Image.Image:
        assert set(overrides) in jobs, overrides
        made.append(folder)
        return Image.new("RGB", (30, 20))

    monkeypatch.setattr(artist_figures, "picture", picture)
    monkeypatch.setattr(artist_figures, "DOCS", tmp_path)
    artist_figures.main()
    text = PAGE.read_text(encoding="utf-8")
    assert len(set(made)) >= 10
    assert all(f"images/{file.name}" in text for file in tmp_path.iterdir())
