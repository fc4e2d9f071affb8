from __future__ import annotations

from typing import get_args

from nst.command.help.losses import losses_in_words
from nst.losses.layer_loss import Role
from nst.losses.registry import losses, option_fields


def test_every_loss_is_read_from_its_file_with_its_options() -> None:
    read = {loss.name: loss for loss in losses_in_words()}
    registered = {name: loss for role in get_args(Role) for name, loss in losses(role).items()}
    assert set(read) == set(registered)
    for name, loss in registered.items():
        defaults = {option: default for option, (_, default) in read[name].options.items()}
        assert defaults == {o: str(field.default) for o, field in option_fields(loss).items()}
        assert read[name].key.startswith(f"loss.{loss.role}")


def test_what_it_says_is_plain_text() -> None:
    for loss in losses_in_words():
        for text in (loss.summary, *(text for text, _ in loss.options.values())):
            assert text
            assert not set(text) & {"`", "\\"}


def test_choices_of_an_option_are_listed() -> None:
    (gram,) = (loss for loss in losses_in_words() if loss.name == "gram")
    assert gram.options["normalization"][0] == "one of gatys, mean, chollet, relative"
