from __future__ import annotations

import pytest

import nst
from nst.command.line.arguments import fault, open_keys, prepared
from nst.command.line.keys import unknown_key
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
        ("passes_=[]", "did you mean 'passes=[]'?"),
    ],
)
def test_unknown_keys_list_the_known(argument: str, message: str) -> None:
    assert message in str(unknown_key(argument))


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("sze=5", "unknown key 'sze'; did you mean size?"),
        ("preset=null", "expected the name of one of its choices; ~preset makes none"),
        ("logger=null", "expected the name of one of its choices; logger=none makes none"),
        ("backbone=3", "expected the name of one of its choices"),
        ("backbone=", "expected the name of one of its choices"),
        ("backbone=[vgg16,vgg19]", "expected the name of one of its choices"),
        ("backbone=vgg16,null", "expected the name of one of its choices"),
        ("~backbone=[]", "~backbone=[]: expected the name of one of its choices"),
        ("~backbone={}", "expected the name of one of its choices"),
        ("hydra/launcher=3", "hydra/launcher=3: expected the name of one of its choices"),
        ("hydra/launcher={}", "expected the name of one of its choices"),
        ("backbone@loss=vgg16", "expected backbone=…, without @"),
        ("study.name=mine", "choose a study by study=NAME"),
        ("hydra={}", "Hydra's own keys are below it"),
        ("hydra.run.dir=", "expected a folder"),
        ("hydra.sweep.dir=null", "expected a folder"),
        ("=3", "expected key=value"),
        ("optimizer.clamp=3", "expected true or false"),
        ("report=3", "expected true or false"),
        ("content=glob(*.png)", "glob() finds choices of a group"),
        ("seed=range(0,1000000000)", "expected 10000 jobs in a sweep at most"),
        ("task=[],choice(content)", "a sweep cannot stand within another one or a list"),
        ("content_layer=[choice(conv_1,conv_2)]", "a sweep cannot stand within another one"),
        ("loss.style={name: {a: [range(0,3)]}}", "a sweep cannot stand within another one"),
        ("seed=range(0,inf)", "expected a range from one finite number to another"),
        ("seed=range(0,1,0)", "division by zero"),
        ("loss.style_weight=range(0,1,1e-300)", "expected 10000 jobs"),
        ("seed=int(many)", "'int(many)': invalid literal for int()"),
        ("size=" + 400 * "[" + 400 * "]", "brackets nested 50 times at most"),
        ("logger.tags=[a[b]", "text in quotes of its own can be: \"logger.tags='[a[b]'\""),
        ("content=\udcff.png", "expected text in UTF-8; rename the file"),
        ("content=a\0b", "expected text in UTF-8; rename the file"),
    ],
)
def test_what_cannot_be_is_said_in_one_line_before_hydra_sees_it(
    argument: str, message: str
) -> None:
    for flags in ([], ["-m"]):
        with pytest.raises(InputError) as caught:
            prepared([*flags, "size=32", argument])
        assert message in str(caught.value)
        assert len(str(caught.value).splitlines()) == 1


def test_the_jobs_of_all_axes_are_counted() -> None:
    axes = ["seed=range(0,100)", "size=range(32,132)"]
    assert fault(axes) is None
    assert "at most" in str(fault([*axes, "style=ink,waves"]))


def test_known_arguments_pass() -> None:
    known = "-m seed=0,1 backbone.weights='a=b.pth' optimizer=adam +anything=1 ~preset --help "
    known += "hydra.run.dir=x hydra/launcher=joblib passes=[] passes.0.size=3 loss=balanced "
    known += "~study=weights loss.style=gram loss.style.any_option=1 loss.pixels.tv.beta=2"
    assert fault(known.split()) is None


def test_what_stands_behind_a_flag_is_no_override() -> None:
    assert prepared(["--cfg", "job", "--resolve", "size=64"])[:2] == ["--cfg", "job"]


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
