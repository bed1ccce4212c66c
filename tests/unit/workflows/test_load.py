"""A stored model or adaptation in a program's hands."""

import pytest
from PIL import Image

from ostcli.config import Direction, Finish
from ostcli.errors import DamagedError, NotFoundError, UsageError
from ostcli.store.exchange import export_file
from ostcli.workflows.load import load_model
from ostcli.workflows.translate import translate


@pytest.fixture
def picture(noise_picture):
    return noise_picture(50, 31)


@pytest.mark.parametrize("to", Direction)
@pytest.mark.parametrize("finish", Finish)
@pytest.mark.parametrize("megapixels", [None, 0.0014])
def test_an_adaptation_translates_as_the_command_does(
    trained, picture, tmp_path, to, finish, megapixels
):
    picture.save(tmp_path / "one.png")
    asked = {"to": to, "finish": finish, "megapixels": megapixels}
    [written] = translate(
        [tmp_path / "one.png"], out=tmp_path / "out", library=trained, **asked
    ).outputs
    loaded = load_model("snow+meadow", library=trained)
    made = loaded.translate(picture, **asked)
    with Image.open(written) as image:
        assert image.tobytes() == made.tobytes()


def test_without_a_name_it_is_the_adaptation_used_last(trained):
    loaded = load_model(library=trained)
    assert loaded.name == "snow+meadow"
    assert loaded.finish == trained.manifest("snow+meadow").facts["finish"]
    assert not loaded.networks.training


def test_a_model_reconstructs_but_does_not_translate(trained, picture):
    loaded = load_model("snow", library=trained)
    assert loaded.reconstruct(picture).size == picture.size
    with pytest.raises(UsageError, match="snow has not seen any example yet") as caught:
        loaded.translate(picture)
    assert caught.value.hint == "call ostcli.adapt first"


def test_strength_zero_gives_the_picture(trained, picture):
    loaded = load_model(library=trained)
    assert loaded.translate(picture, strength=0.0).tobytes() == picture.tobytes()


@pytest.mark.parametrize("name", ["snow", "snow+meadow"])
def test_an_exported_file_is_loaded_by_its_path(trained, library, picture, tmp_path, name):
    exported = export_file(trained, name, tmp_path / "sent.safetensors")
    there = load_model(str(exported), library=library)
    here = load_model(name, library=trained)
    assert there.name == name
    assert there.reconstruct(picture).tobytes() == here.reconstruct(picture).tobytes()


def test_what_is_not_there_is_an_error_in_words(trained, library):
    with pytest.raises(NotFoundError, match="no model or adaptation called sno"):
        load_model("sno", library=trained)
    with pytest.raises(NotFoundError, match="no adaptation yet"):
        load_model(library=library)


def test_damaged_weights_are_not_loaded(trained):
    folder = trained.folder("snow")
    weights = folder / trained.manifest("snow").current.files["weights"].name
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(DamagedError, match=weights.name) as caught:
        load_model("snow", library=trained)
    assert "ost pretrain FOLDER --name snow --fresh" in caught.value.hint
