"""The reference says what the code says."""

import re
import runpy
from pathlib import Path

from ostcli import errors
from ostcli.errors import ExitCode, OstError

DOCS = Path(__file__).parents[2] / "docs"
ERRORS = (DOCS / "reference" / "errors.md").read_text(encoding="utf-8")


def test_the_configuration_page_is_up_to_date():
    generator = runpy.run_path(str(DOCS / "generate_configuration.py"))
    written = generator["PAGE"].read_text(encoding="utf-8")
    assert written == generator["page"](), "run: python docs/generate_configuration.py"


def test_the_page_of_benchmarks_says_what_the_figures_say():
    generator = runpy.run_path(str(DOCS / "generate_benchmarks.py"))
    for path, text in generator["pages"]().items():
        assert path.read_text(encoding="utf-8") == text, "run: python docs/generate_benchmarks.py"


def test_the_tables_of_the_results_say_what_their_figures_say():
    generator = runpy.run_path(str(DOCS / "generate_results.py"))
    written = generator["PAGE"].read_text(encoding="utf-8")
    assert all(f"<!-- table {name} -->" in written for name in generator["BLOCKS"])
    assert written == generator["page"](written), "run: python docs/generate_results.py"


def test_every_exit_code_is_documented():
    documented = {int(code) for code in re.findall(r"^\| (\d+) \|", ERRORS, re.MULTILINE)}
    assert documented == {code.value for code in ExitCode}


def test_every_error_class_is_documented():
    classes = {
        name
        for name, item in vars(errors).items()
        if isinstance(item, type) and issubclass(item, OstError) and item is not OstError
    }
    assert {name for name in classes if f"`{name}`" in ERRORS} == classes
