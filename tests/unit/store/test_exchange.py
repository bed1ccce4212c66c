"""A model travels in one file, and is the same where it arrives."""

import json
import pickle

import pytest
import torch
from safetensors import safe_open

from ostcli.errors import DamagedError, NotFoundError, StoreError, UsageError
from ostcli.store import exchange
from ostcli.store.exchange import contains_pictures, export_file, import_file
from ostcli.store.library import Library
from ostcli.store.manifest import Parent


@pytest.fixture
def library(tmp_path):
    return Library(tmp_path / "here")


@pytest.fixture
def elsewhere(tmp_path):
    return Library(tmp_path / "elsewhere")


@pytest.fixture
def destination(tmp_path):
    return tmp_path / "winter.safetensors"


def save(library, name="winter", *, value=1.0, kind="model", parent=None):
    return library.commit(
        name,
        kind=kind,
        config={"width": 32},
        facts={"folder": "Schnee ❄"},
        step=100,
        files={
            "weights": {"net.0": torch.full((2, 3), value), "half": torch.ones(3).bfloat16()},
            "state": {"moment": torch.ones(4)},
            "keepsake": {"crop": torch.arange(9, dtype=torch.uint8), "none": torch.empty(0)},
        },
        parent=parent,
    )


def test_a_model_arrives_as_it_was(library, elsewhere, destination):
    sent = save(library, parent=Parent(name="root", sha256="0" * 64))
    assert export_file(library, "winter", destination) == destination
    received = import_file(elsewhere, destination)
    for field in ("name", "kind", "parent", "config", "facts", "created"):
        assert getattr(received, field) == getattr(sent, field)
    assert received.current.step == 100
    for role in ("weights", "keepsake"):
        there, here = (each.open("winter").tensors(role) for each in (elsewhere, library))
        assert there.keys() == here.keys()
        assert all(torch.equal(there[name], here[name]) for name in here)
    assert not elsewhere.open("winter").has("state")


def test_an_adaptation_finds_its_model_after_both_have_travelled(library, elsewhere, tmp_path):
    weights = save(library).current.files["weights"].sha256
    save(library, "x", kind="adaptation", parent=Parent(name="winter", sha256=weights), value=2.0)
    for name in ("winter", "x"):
        export_file(library, name, tmp_path / name)
    import_file(elsewhere, tmp_path / "winter", "snow")
    assert elsewhere.find_parent(import_file(elsewhere, tmp_path / "x")) == "snow"


def test_the_file_is_plain_safetensors_with_the_manifest_in_its_header(library, destination):
    save(library)
    export_file(library, "winter", destination)
    with safe_open(destination, framework="pt") as file:
        names, manifest = sorted(file.keys()), json.loads(file.metadata()["ost"])
    assert names == ["keepsake.crop", "keepsake.none", "weights.half", "weights.net.0"]
    assert manifest["current"]["files"].keys() == {"weights", "keepsake"}
    assert manifest["previous"] is None


def test_without_pictures_none_are_in_the_file(library, elsewhere, destination):
    save(library)
    export_file(library, "winter", destination, with_pictures=False)
    with safe_open(destination, framework="pt") as file:
        assert not [name for name in file.keys() if name.startswith("keepsake")]  # noqa: SIM118
    assert not contains_pictures(destination)
    import_file(elsewhere, destination)
    assert not elsewhere.open("winter").has("keepsake")
    assert not contains_pictures(export_file(elsewhere, "winter", destination, overwrite=True))
    assert contains_pictures(export_file(library, "winter", destination, overwrite=True))


def test_an_export_replaces_nothing_unless_asked(library, destination, tmp_path):
    save(library)
    destination.write_text("mine")
    with pytest.raises(UsageError, match="exists already"):
        export_file(library, "winter", destination)
    assert destination.read_text() == "mine"
    export_file(library, "winter", destination, overwrite=True)
    assert destination.stat().st_size > 100
    with pytest.raises(UsageError, match="is a folder"):
        export_file(library, "winter", tmp_path, overwrite=True)
    with pytest.raises(StoreError, match="nowhere"):
        export_file(library, "winter", tmp_path / "nowhere" / "file")
    with pytest.raises(NotFoundError):
        export_file(library, "wintr", tmp_path / "new")


def test_a_damaged_model_is_not_exported(library, destination):
    manifest = save(library)
    (library.folder("winter") / manifest.current.files["weights"].name).write_bytes(b"")
    with pytest.raises(DamagedError):
        export_file(library, "winter", destination)
    assert not destination.exists()


def test_importing_again_changes_nothing(library, elsewhere, destination):
    save(library)
    export_file(library, "winter", destination)
    assert import_file(elsewhere, destination) == import_file(elsewhere, destination)
    before = library.manifest("winter")
    assert import_file(library, destination) == before  # With its state still in place.
    assert library.open("winter").has("state")


@pytest.mark.parametrize("damaged", ["000001.safetensors", "000001.keepsake.safetensors"])
def test_importing_again_repairs_what_is_damaged(library, destination, damaged):
    save(library)
    export_file(library, "winter", destination)
    (library.folder("winter") / damaged).write_bytes(b"")
    import_file(library, destination)
    assert library.verify("winter") == []
    assert library.open("winter").tensors("weights")["net.0"].eq(1).all()


def test_importing_again_repairs_a_damaged_manifest(library, destination):
    save(library)
    export_file(library, "winter", destination)
    (library.folder("winter") / "manifest.json").write_text("{")
    assert import_file(library, destination) == library.manifest("winter")
    assert library.verify("winter") == []


def test_another_model_of_that_name_is_not_replaced(library, elsewhere, destination):
    save(library)
    export_file(library, "winter", destination)
    save(elsewhere, value=2.0)
    with pytest.raises(UsageError, match="already another model called winter") as caught:
        import_file(elsewhere, destination)
    assert "--name" in caught.value.hint
    assert import_file(elsewhere, destination, "snow").name == "snow"
    with pytest.raises(UsageError, match="cannot be the name"):
        import_file(elsewhere, destination, "../snow")


def test_a_model_without_pictures_does_not_pass_for_the_one_with(library, elsewhere, tmp_path):
    save(library)
    export_file(library, "winter", tmp_path / "bare", with_pictures=False)
    export_file(library, "winter", tmp_path / "full")
    import_file(elsewhere, tmp_path / "bare")
    with pytest.raises(UsageError, match="another"):
        import_file(elsewhere, tmp_path / "full")


def test_every_flipped_bit_is_found(library, elsewhere, destination):
    save(library)
    data = export_file(library, "winter", destination).read_bytes()
    for position in range(0, len(data), max(1, len(data) // 300)):
        changed = bytearray(data)
        changed[position] ^= 1
        destination.write_bytes(changed)
        with pytest.raises(StoreError, match=r"winter\.safetensors"):
            import_file(elsewhere, destination)
    assert elsewhere.names() == []


def test_other_files_are_refused_in_a_sentence(library, elsewhere, destination, tmp_path):
    manifest = save(library)
    plain = library.folder("winter") / manifest.current.files["weights"].name
    exported = export_file(library, "winter", destination).read_bytes()
    contents = [b"", b"GIF89a", pickle.dumps({}), plain.read_bytes(), exported[:-1], exported[:50]]
    for content in contents:
        destination.write_bytes(content)
        with pytest.raises(DamagedError, match="is not a model exported by ost"):
            import_file(elsewhere, destination)
    with pytest.raises(DamagedError, match="is not a model exported by ost"):
        import_file(elsewhere, tmp_path)
    with pytest.raises(NotFoundError, match="no file"):
        import_file(elsewhere, tmp_path / "nothing")


def test_a_huge_file_is_refused_unread(library, elsewhere, destination, monkeypatch):
    save(library)
    export_file(library, "winter", destination)
    monkeypatch.setattr(exchange, "_MAX_BYTES", 10)
    with pytest.raises(DamagedError, match="is not a model exported by ost"):
        import_file(elsewhere, destination)
