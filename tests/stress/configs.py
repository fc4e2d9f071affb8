"""Command lines at random: each is a config that has been checked, or an error of one line.

    python -m tests.stress.configs --count 100000

Keys are the config's own, those of groups, Hydra's and unknown ones; values are of every kind that
Hydra's grammar has, plausible ones, and any text at all. A summary counts what came out; an
exception of another kind, or a command line that takes too long, is made as small as it can be and
ends the program with status 1. No run is started and nothing is written.
"""

from __future__ import annotations

import argparse
import json
import logging
import time
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from hydra.errors import HydraException
from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import HypothesisWarning
from hypothesis.strategies import SearchStrategy

import nst
from nst.command.configs import CONF, one_line
from nst.command.line.arguments import fault, prepared
from nst.command.line.names import quote_paths, slug
from nst.command.line.repeat import repeated
from nst.command.plan import expand_sweep
from nst.config import GROUPS, config_hash, documented_keys, to_dict
from nst.config.remarks import remarks
from nst.errors import InputError
from nst.losses.terms import terms_from_config

LONGEST = 30.0
"""Seconds that one command line may take, on a machine with other things to do."""

_JOBS = 3
"""How many jobs of a sweep are composed."""

KEYS = documented_keys()
CHOICES = {group: [f.stem for f in sorted((CONF / group).glob("*.yaml"))] for group in GROUPS}


@dataclass
class Outcomes:
    """What came out of the command lines tried so far."""

    counts: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    slowest_line: list[str] = field(default_factory=list)

    def count(self, kind: str, seconds: float, line: list[str]) -> None:
        """Add one."""
        self.counts[kind] += 1
        if seconds > self.slowest:
            self.slowest, self.slowest_line = seconds, line

    def __str__(self) -> str:
        total = sum(self.counts.values())
        kinds = ", ".join(f"{kind} {n} ({n / total:.1%})" for kind, n in self.counts.most_common())
        line = " ".join(self.slowest_line)
        return f"{total} command lines: {kinds}; slowest {self.slowest:.2f} s: {line[:200]!r}"


# --- command lines -------------------------------------------------------------------------------

_NUMBERS = [
    *("0", "1", "-1", "-0", "3", "16", "64", "0.5", "-0.5", ".5", "1.", "1e3", "1e-9", "1_000"),
    *("nan", "inf", "-inf", "NaN", "1e400", "-1e400", "9" * 25, "9" * 400, "2147483648"),
    *("9223372036854775808", "1e309", "5e-324", "0x10", "007", "1e", "+3", "--3", "٣"),
]
_WORDS = [
    *("true", "false", "True", "null", "None", "auto", "mean", "sum", "???", "~", "*", "-", "..."),
    *("conv_1", "relu4_2", "conv_1-5", "conv_5-1", "block1_conv1", "input", "fire2", "conv_0"),
    *("gram", "wasserstein2", "features", "tv", "pixel_statistics", "relative", "astronaut", "ink"),
    *("random", "shipped", "kmeans", "cuda", "cuda:0", "mps", "cpu", "photo (1).png", "größe.png"),
    *(
        "a=b",
        "../../x",
        "/",
        ".",
        "",
        " ",
        "it's",
        '"',
        "'",
        "a,b",
        "#",
        "%s",
        "{}",
        "[]",
        "${",
        "}",
    ),
]
_INTERPOLATIONS = [
    *("${size}", "${style}", "${seed}", "${loss.style_weight}", "${backbone.name}", "${nothing}"),
    *(
        "${oc.env:HOME}",
        "${oc.env:NOTHING}",
        "${oc.env:NOTHING,3}",
        "${oc.decode:'[1]'}",
        "${now:%Y}",
    ),
    *("${nst.run_name:a}", "${nst.nothing:1}", "${.kind}", "${..size}", "${}", "${a", "${${task}}"),
    *(
        "${oc.create:{a: 1}}",
        "${oc.select:nothing}",
        "${oc.dict.keys:loss}",
        "x${size}y",
        "\\${size}",
    ),
    *("${hydra.job.name}", "${optimizer}", "${passes}", "${passes[0]}", "${init.image}"),
]

_text = st.text(max_size=12)
_quoted = st.builds(lambda text, quote: quote + text + quote, _text, st.sampled_from("'\""))
_atoms = st.one_of(
    st.sampled_from(_NUMBERS),
    st.sampled_from(_WORDS),
    st.sampled_from(_INTERPOLATIONS),
    st.integers(-(2**70), 2**70).map(str),
    st.floats().map(str),
    _quoted,
    _text,
)


def _list(values: SearchStrategy[str]) -> SearchStrategy[str]:
    return st.lists(values, max_size=4).map(lambda items: f"[{','.join(items)}]")


def _mapping(values: SearchStrategy[str]) -> SearchStrategy[str]:
    names = ["name", "weight", "scale", "steps", "normalization", "tv", "a", "3", "", "beta"]
    pairs = st.tuples(st.sampled_from(names) | _text, values).map(": ".join)
    return st.lists(pairs, max_size=3).map(lambda items: f"{{{', '.join(items)}}}")


def _function(values: SearchStrategy[str]) -> SearchStrategy[str]:
    names = ["choice", "range", "interval", "glob", "sort", "shuffle", "tag", "int", "float"]
    name = st.sampled_from([*names, "str", "bool", "nothing"])
    arguments = st.lists(values, max_size=4).map(",".join)
    return st.builds(lambda n, a: f"{n}({a})", name, arguments)


_nested = st.recursive(
    _atoms, lambda inner: _list(inner) | _mapping(inner) | _function(inner), max_leaves=8
)
_several = st.lists(_nested, min_size=2, max_size=4).map(",".join)
VALUES = _nested | _several
"""Values of every kind that the grammar has, and some that it has not."""


_USUAL = {
    **{"content": ["astronaut", "coffee"], "style": ["ink", "mosaic"], "size": ["64", "200"]},
    **{"content_layer": ["conv_1", "relu4_2"], "style_layers": ["conv_1-5", "[relu_1,pool_2]"]},
    **{"backbone.weights": ["random", "shipped"], "device": ["cpu", "auto"], "init.mean": ["0.4"]},
    **{"loss.style": ["gram", "{name: gram, activation_shift: 0.1}"], "loss.content": ["features"]},
    **{"loss.pixels": ["{pixel_statistics: {weight: 3}}", "{}"], "threads": ["auto", "2"]},
    **{"passes": ["[{scale: 1.5, steps: 3}]", "[]"], "coarse_scales": ["auto", "[0.25,0.5]", "1"]},
    **{"checkpoint_every": ["auto", "50"], "gradient_checkpointing": ["true", "auto"]},
    **{"report.judge": ["auto", "vgg19"], "report.figure_width": ["7"], "seed": ["0", "3"]},
    **{"loss.style_layer_weights": ["mean", "sum"], "loss.content_layer_weights": ["mean", "[1]"]},
    **{"optimizer.steps": ["0", "20"], "optimizer.lr": ["0.5", "1"], "init.amplitude": ["0.1"]},
}


def _plausible(name: str) -> SearchStrategy[str]:
    """Values that a key may well have."""
    if name in (*CHOICES, *_USUAL):
        return st.sampled_from(CHOICES.get(name) or _USUAL[name])
    values = KEYS[name].values
    kinds = {
        "int": st.integers(-2, 600).map(str),
        "float": st.floats(0, 100).map(str),
        "true/false": st.sampled_from(["true", "false"]),
    }
    if values.split(", ")[0] in kinds:
        return kinds[values.split(", ")[0]]
    return st.sampled_from([*values.split(", "), *_WORDS])


_UNKNOWN = [
    *("sze", "loss.stle", "optimizer", "loss", "passes.0", "passes.0.steps", "passes[0]", "a.b.c"),
    *(
        "loss.style.normalization",
        "loss.style.name",
        "loss.style.",
        "loss.pixels.tv.beta",
        "report",
    ),
    *("loss.pixels.pixel_statistics.weight", "loss.content.x", "optimizer.default_steps.transfer"),
    *("study.sweep.full", "hydra", "hydra.run.dir", "hydra.sweep.dir", "hydra.job.name", "hydra.x"),
    *(
        "hydra/launcher",
        "hydra.sweeper",
        "foo/bar",
        "",
        " ",
        ".",
        "$",
        "a b",
        "größe",
        "size@x",
        "@x",
    ),
    *("loss@style", "hydra.verbose", "hydra.job.num", "hydra.mode", "defaults", "_self_", "schema"),
]


@st.composite
def overrides(draw: st.DrawFn) -> str:
    """One override, or what looks like one."""
    kind = draw(st.sampled_from(["plausible"] * 24 + ["known"] * 5 + ["unknown", "text"]))
    if kind == "text":
        return draw(st.text(max_size=30))
    known = st.sampled_from([*KEYS, *GROUPS])
    name = draw(known if kind != "unknown" else st.sampled_from(_UNKNOWN) | _text)
    if kind == "plausible":
        return f"{name}={draw(_plausible(name))}"
    prefix = draw(st.sampled_from([""] * 8 + ["+", "++", "~", "-"]))
    if prefix == "~" and draw(st.booleans()):
        return f"~{name}"
    return f"{prefix}{name}={draw(VALUES)}"


LINES = st.lists(overrides(), min_size=1, max_size=3)
"""Whole command lines, without flags."""


# --- what becomes of them ------------------------------------------------------------------------


def composed(line: list[str]) -> None:
    """Compose, check, and use what every run uses of a config.

    Raises:
        InputError: it cannot be.
    """
    cfg = nst.compose(*line)
    terms_from_config(cfg)
    remarks(cfg, line)
    config_hash(cfg)
    assert json.dumps(to_dict(cfg)).encode()
    assert slug(",".join(line)).isascii()


def try_alone(line: list[str]) -> str:
    """What becomes of a command line: ``composed`` or ``refused``."""
    try:
        prepared(repeated(line))
        composed(quote_paths(line))
    except InputError as error:
        _check_line(str(error))
        return "refused"
    return "composed"


def try_swept(line: list[str]) -> str:
    """What becomes of a sweep: its jobs are composed one by one, the first few of them."""
    arguments = quote_paths(["-m", *line])[1:]
    complaint = fault(arguments)
    if complaint is not None:
        _check_line(complaint)
        return "refused"
    try:
        jobs = expand_sweep(arguments)
    except HydraException as error:
        _check_line(one_line(error))
        return "refused"
    kinds = {try_alone(job) for job in jobs[:_JOBS]}
    return "composed" if kinds == {"composed"} else "refused"


def _check_line(text: str) -> None:
    """An error is one line that says something, without what a terminal would obey."""
    assert text.strip(), "an error without words"
    assert len(text.splitlines()) == 1, text
    assert text.isprintable() or "\u200d" in text, ascii(text)
    assert len(text) < 5000, "an error too long to be read"
    text.encode()


def search(count: int, number: int, trial: Callable[[list[str]], str], outcomes: Outcomes) -> None:
    """Try command lines at random.

    Args:
        count: how many
        number: seed
        trial: :func:`try_alone` or :func:`try_swept`
        outcomes: to count in

    Raises:
        Exception: what one of them raised, and should not have; the smallest there is.
    """

    @seed(number)
    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
        verbosity=Verbosity.normal,
        print_blob=False,
    )
    @given(LINES)
    def run(line: list[str]) -> None:
        start = time.monotonic()
        kind = trial(line)
        seconds = time.monotonic() - start
        outcomes.count(f"{trial.__name__.removeprefix('try_')} {kind}", seconds, line)
        assert seconds < LONGEST, f"{seconds:.0f} s"

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HypothesisWarning)  # of how long a strategy's repr is
        run()


def main() -> None:
    """The long form; see above."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=1000, help="how many command lines")
    parser.add_argument("--seed", type=int, default=0, help="of the first thousand")
    arguments = parser.parse_args()
    outcomes, start = Outcomes(), time.monotonic()
    logging.getLogger("nst").setLevel(logging.ERROR)  # keys given twice are no faults
    for number in range(-(-arguments.count // 1000)):
        left = min(1000, arguments.count - 1000 * number)
        trials = ((left - left // 4, try_alone), (left // 4, try_swept))
        for count, trial in trials:
            if count:
                search(count, arguments.seed + number, trial, outcomes)
        print(f"{time.monotonic() - start:.0f} s: {outcomes}", flush=True)


if __name__ == "__main__":
    main()
