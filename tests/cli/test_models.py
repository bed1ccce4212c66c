"""`ost models …`: the store from outside."""

import io

import pytest


@pytest.fixture
def damaged(trained):
    """Damage the manifest of "snow"."""
    (trained / "models" / "snow" / "manifest.json").write_text("{")


def test_alone_it_lists_what_there_is(ost, trained):
    for arguments in (("models",), ("models", "ls")):
        heading, model, adaptation = ost(*arguments).lines
        assert heading.split() == ["name", "kind", "model", "steps", "size", "saved", "finished"]
        assert model.split()[:3] == ["snow", "model", "2"]
        assert adaptation.split()[:4] == ["snow+meadow", "adaptation", "snow", "2"]
        assert model.endswith("yes")


def test_the_list_is_there_as_json(ost, trained):
    result = ost("models", "--json").json
    assert result["command"] == "models ls"
    model, adaptation = result["result"]["models"]
    assert (model["model"], adaptation["model"]) == (None, "snow")
    assert model["finished"] is True
    assert result["result"]["damaged"] == []
    assert result["result"]["unreadable"] == {}


@pytest.mark.parametrize("command", ["ls", "path", "verify"])
def test_json_may_be_asked_for_before_the_sub_command(ost, trained, command):
    assert ost("models", "--json", command).json == ost("models", command, "--json").json


def test_an_empty_store_says_what_to_run(ost):
    run = ost("models")
    assert (run.code, run.out) == (0, "")
    assert "ost pretrain FOLDER" in run.err


def test_damaged_models_are_listed_as_such(ost, damaged):
    run = ost("models")
    assert run.lines[-1].split() == ["snow", "damaged"]
    assert "manifest.json is not a manifest" in run.err
    assert "ost models rm snow" in run.err


def test_what_a_newer_ost_wrote_is_not_called_damaged(ost, trained):
    (trained / "models" / "snow" / "manifest.json").write_text('{"schema": 2}')
    run = ost("models")
    assert run.lines[-1].split() == ["snow", "unreadable"]
    assert "was written by a newer ost" in run.err
    listed = ost("models", "--json").json["result"]
    assert listed["damaged"] == []
    assert "newer ost" in listed["unreadable"]["snow"]
    verified = ost("models", "verify")
    assert verified.code == 5
    assert "damaged" not in verified.err
    for text in (run.err, verified.err):
        assert "upgrade" in text
        assert "models rm" not in text


def test_all_about_one_is_shown(ost, trained):
    shown = dict(line.split(maxsplit=1) for line in ost("models", "show", "snow+meadow").lines)
    assert shown["model"] == "snow"
    assert shown["example"].endswith("meadow.jpg")
    assert shown["path"] == str(trained / "models" / "snow+meadow")
    assert shown["seed"] == "0"
    assert ost("models", "show", "snow", "--json").json["result"]["config"]["steps"] == 2


def test_unknown_names_are_errors_of_the_store(ost, trained):
    for command in ("show", "path", "export", "rm", "verify"):
        run = ost("models", command, "nothing")
        assert run.code == 5, command
        assert "nothing" in run.err


def test_removing_needs_a_yes(ost, trained):
    refused = ost("models", "rm", "snow")
    assert refused.code == 2
    assert "--yes" in refused.err
    assert ost("models", "rm", "snow", "snow+meadow", "--yes").lines == ["snow", "snow+meadow"]
    assert ost("models").out == ""


def test_a_name_given_twice_is_removed_once(ost, trained):
    run = ost("models", "rm", "snow", "snow", "--yes", "--json")
    assert (run.code, run.json["result"]) == (0, {"removed": ["snow"]})


def test_a_misspelt_name_is_brought_to_mind_and_nothing_is_removed(ost, trained):
    run = ost("models", "rm", "snow", "snow+meadw", "--yes")
    assert run.code == 5
    assert "did you mean snow+meadow" in run.err
    assert len(ost("models").lines) == 3


@pytest.mark.parametrize(("answer", "left"), [("y", 1), ("n", 2)])
def test_a_person_is_asked_before_removing(ost, trained, monkeypatch, answer, left):
    monkeypatch.setattr("sys.stdin", _Terminal(f"{answer}\n"))
    assert ost("models", "rm", "snow").code == 0
    assert len(ost("models").lines) == 1 + left


class _Terminal(io.StringIO):
    def isatty(self):
        return True


def test_paths_are_for_scripts(ost, trained):
    assert ost("models", "path").lines == [str(trained)]
    assert ost("models", "path", "snow").lines == [str(trained / "models" / "snow")]


def test_a_renamed_model_is_still_the_parent(ost, trained):
    assert ost("models", "rename", "snow", "ice").lines == ["ice"]
    models = ost("models", "--json").json["result"]["models"]
    assert [each["model"] for each in models] == [None, "ice"]


def test_an_export_says_that_it_holds_pictures(ost, trained, tmp_path):
    run = ost("models", "export", "snow", "--quiet")
    assert run.lines == ["snow.safetensors"]
    assert "contains pieces of the pictures" in run.err
    bare = ost("models", "export", "snow", "bare.st", "--without-pictures")
    assert "pictures" not in bare.err
    sizes = [(tmp_path / name).stat().st_size for name in ("bare.st", "snow.safetensors")]
    assert sizes[0] < sizes[1]


def test_an_export_of_a_model_without_pictures_says_so(ost, trained):
    ost("models", "export", "snow", "bare.st", "--without-pictures")
    ost("models", "import", "bare.st", "--name", "bare")
    run = ost("models", "export", "bare", "--json")
    assert run.json["result"]["contains_pictures"] is False
    assert "pictures" not in run.err


def test_an_export_replaces_nothing_unless_told(ost, trained):
    ost("models", "export", "snow")
    assert ost("models", "export", "snow").code == 2
    assert ost("models", "export", "snow", "--overwrite").code == 0


def test_an_exported_file_comes_back(ost, trained):
    ost("models", "export", "snow")
    assert ost("models", "import", "snow.safetensors", "--name", "copy").lines == ["copy"]
    assert len(ost("models").lines) == 4


def test_a_strange_file_is_not_imported(ost, summer):
    run = ost("models", "import", summer)
    assert run.code == 5
    assert "summer.jpg" in run.err


def test_verify_tells_what_is_whole_and_what_is_not(ost, trained):
    assert ost("models", "verify").lines == ["snow: whole", "snow+meadow: whole"]
    weights = next((trained / "models" / "snow").glob("??????.safetensors"))
    weights.write_bytes(weights.read_bytes()[:-1])
    run = ost("models", "verify", "--json")
    assert run.code == 5
    assert run.json["error"]["exit_code"] == 5
    problems = run.json["result"]["problems"]
    assert problems["snow+meadow"] == []
    assert weights.name in problems["snow"][0]


def test_importing_again_repairs_as_verify_says(ost, trained):
    ost("models", "export", "snow")
    weights = next((trained / "models" / "snow").glob("??????.safetensors"))
    weights.write_bytes(weights.read_bytes()[:-1])
    assert "import it again" in ost("models", "verify").err
    assert ost("models", "import", "snow.safetensors").lines == ["snow"]
    assert ost("models", "verify").code == 0


def test_prune_leaves_models_alone(ost, trained):
    stray = trained / "models" / "snow" / "000099.safetensors"
    stray.write_bytes(b"left behind")
    run = ost("models", "prune")
    assert run.lines == [str(stray)]
    assert ost("models", "verify").code == 0
