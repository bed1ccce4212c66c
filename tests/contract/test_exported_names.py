"""The Python API: what `ostcli` exports, so that a change is a decision."""

import inspect
import typing

import pytest

import ostcli

EXPORTED = {
    "__version__", "pretrain", "adapt", "adapt_all", "translate", "load_model", "PretrainConfig",
    "AdaptConfig",
    "pretrain_preset", "adapt_preset", "Direction", "Finish", "Look", "Medium", "Preset",
    "evaluate", "Yardsticks", "FolderFacts",
}  # fmt: skip


def test_exactly_these_names_are_exported():
    assert set(ostcli.__all__) == EXPORTED
    assert set(dir(ostcli)) == EXPORTED


@pytest.mark.parametrize("name", sorted(EXPORTED - {"__version__"}))
def test_every_exported_name_is_there_and_documented(name):
    exported = getattr(ostcli, name)
    assert inspect.getdoc(exported)
    if inspect.isfunction(exported):
        assert "return" in typing.get_type_hints(exported)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="nothing"):
        ostcli.nothing  # noqa: B018


@pytest.mark.parametrize("name", ["pretrain", "adapt", "translate", "evaluate"])
def test_every_command_has_its_function(name):
    parameters = inspect.signature(getattr(ostcli, name)).parameters
    assert {"device", "threads", "library", "on_event", "should_stop"} <= parameters.keys()
