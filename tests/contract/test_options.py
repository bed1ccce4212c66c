"""Every option of every command: a new one is a decision, seen in the diff of options.txt."""

import importlib.util
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RENEW = "run: python docs/generate_commands.py"
MOST_IN_SIGHT = 9


@pytest.fixture(scope="module")
def generator():
    path = ROOT / "docs" / "generate_commands.py"
    spec = importlib.util.spec_from_file_location("generate_commands", path)
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(__import__("sys").modules, spec.name, module)  # Its dataclasses look there.
        spec.loader.exec_module(module)
    return module


def test_the_list_of_options_is_up_to_date(generator):
    assert generator.OPTIONS.read_text("utf-8") == generator.options_text(), RENEW


def test_the_reference_of_commands_is_up_to_date(generator):
    assert generator.COMMANDS.read_text("utf-8") == generator.commands_text(), RENEW


def test_every_command_and_option_says_what_it_does(generator):
    for command in generator.commands():
        assert command.help.endswith("."), command.name
        for parameter in command.parameters:
            assert parameter.help.endswith("."), f"{command.name} {parameter.names}"


def test_few_options_are_in_sight(generator):
    for command in generator.commands():
        panels = Counter(each.panel for each in command.parameters)
        assert panels["Options"] <= MOST_IN_SIGHT, command.name


def test_every_command_that_reports_takes_json(generator):
    for command in list(generator.commands())[1:]:
        assert "--json" in {each.names for each in command.parameters}, command.name
