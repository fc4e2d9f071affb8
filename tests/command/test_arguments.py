from __future__ import annotations

import pytest

import nst
from nst.command.arguments import (
    explain_unknown_keys,
    open_keys,
    prepared,
    quote_paths,
    unknown_key,
)
from nst.errors import InputError


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("optimizer.step=5", "did you mean optimizer.steps? (known: optimizer.clamp"),
        ("sze=5", "did you mean size?"),
        ("contnt_layer=conv_1,conv_4", "did you mean content_layer?"),
        ("optimiser=adam", "did you mean optimizer?"),
        ("loss.stlye_weight=3", "did you mean loss.style_weight?"),
        ("loss.content_wieght=3", "did you mean loss.content_weight?"),
        ("scales=1", "did you mean coarse_scales?"),
        ("passes_=[]", "did you mean passes?"),
        ("preset=null", "~preset makes none"),
    ],
)
def test_unknown_keys_list_the_known(argument: str, message: str) -> None:
    assert message in str(unknown_key(argument))
    with pytest.raises(InputError, match=r"unknown key|preset=null"):
        explain_unknown_keys(["-m", "seed=0,1", argument])


def test_known_arguments_pass() -> None:
    known = "-m seed=0,1 backbone.weights=a=b.pth optimizer=adam +anything=1 ~preset --help "
    known += "hydra.run.dir=x hydra/launcher=joblib passes=[] passes.0.size=3 loss=balanced "
    known += "loss.style=gram loss.style.any_option=1 loss.pixels.tv.beta=2"
    explain_unknown_keys(known.split())


@pytest.mark.parametrize("name", ["photo (1).jpg", "é.png", "a=b,c.png", "~/x.png", "it's.png"])
def test_paths_of_every_kind_reach_the_config(name: str) -> None:
    with pytest.raises(InputError) as caught:
        nst.compose(*quote_paths([f"content={name}"]))
    assert str(caught.value).startswith(f"content={name}: no such file")


def test_what_is_quoted_or_swept_stays_as_it_is() -> None:
    for arguments in (["content='a b.jpg'"], ["-m", "content=a b,c"], ["seed=0", "style=x/y.jpg"]):
        assert quote_paths(arguments) == arguments


@pytest.mark.parametrize("named_first", [True, False])
def test_a_loss_keeps_its_name_beside_its_options(named_first: bool) -> None:
    named, option = "loss.style=gram", "loss.style.activation_shift=0.5"
    cfg = nst.compose(*((named, option) if named_first else (option, named)))
    assert cfg.loss.style == {"name": "gram", "activation_shift": 0.5}


def test_options_of_a_loss_leave_flags_where_they_are() -> None:
    arguments = ["loss.style.activation_shift=0,1", "seed=0,1", "loss.pixels={}", "-m"]
    assert open_keys(arguments) == [
        *("++loss.pixels={}", "seed=0,1", "++loss.style.activation_shift=0,1", "-m"),
    ]


@pytest.mark.parametrize("flags", [[], ["-m", "seed=0,1"]])
def test_report_alone_is_the_switch(flags: list[str]) -> None:
    switched = prepared([*flags, "report=false", "+report=true", "report.figure_width=7"])
    assert switched == [
        *flags,
        *("report.enabled=false", "+report.enabled=true", "report.figure_width=7"),
    ]
    assert prepared([*flags, "report={enabled: false}"]) == [*flags, "report={enabled: false}"]


def test_arguments_are_quoted_and_opened() -> None:
    assert prepared(["content=a (1).jpg", "loss.pixels.tv.beta=2.5", "size=64"]) == [
        *("content='a (1).jpg'", "++loss.pixels.tv.beta=2.5", "size=64"),
    ]
