"""A manifest is read back as written, or refused in one sentence."""

import json
import unicodedata
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest

from ostcli.errors import DamagedError, StoreError, UsageError
from ostcli.store.manifest import (
    MAX_BYTES,
    FileRecord,
    Generation,
    Manifest,
    Parent,
    check_name,
    generation_file_name,
    is_generation_file,
    now,
    slug,
)

PATH = Path("store", "models", "winter", "manifest.json")


def generation(number):
    roles = ("weights", "state", "keepsake")
    return Generation(
        number=number,
        step=100 * number,
        files={
            role: FileRecord(
                name=generation_file_name(number, role), sha256=str(number) * 64, num_bytes=10
            )
            for role in roles
        },
    )


def example():
    return Manifest(
        kind="adaptation",
        name="winter+summer",
        parent=Parent(name="winter", sha256="a" * 64),
        config={"width": 32, "weights": {"kl": 0.01}},
        facts={"folder": "/pictures/Schnee ❄", "losses": [0.5, 0.25], "finish": None},
        created="2025-01-02T03:04:05+00:00",
        updated=now(),
        versions={"ost": "0.1.0", "torch": "2.6", "python": "3.11"},
        current=generation(2),
        previous=generation(1),
    )


@pytest.mark.parametrize("changes", [{}, {"parent": None, "previous": None, "kind": "model"}])
def test_a_manifest_survives_the_round_trip(changes):
    manifest = replace(example(), **changes)
    assert Manifest.from_json(manifest.to_json(), path=PATH) == manifest


def test_the_json_is_stable_sorted_and_ends_with_a_newline():
    data = example().to_json()
    assert data == Manifest.from_json(data, path=PATH).to_json()
    assert data.endswith(b"}\n")
    assert list(json.loads(data)) == sorted(json.loads(data))


def test_read_only_mappings_and_odd_folder_names_can_be_written():
    facts = MappingProxyType({"folder": "/bilder/\udcfc"})
    data = replace(example(), facts=facts).to_json()
    assert Manifest.from_json(data, path=PATH).facts == dict(facts)


@pytest.mark.parametrize(
    "facts", [{"loss": float("nan")}, {"text": "x" * MAX_BYTES}, {"self": float("inf")}]
)
def test_what_could_not_be_read_back_is_not_written(facts):
    with pytest.raises(ValueError, match=r"JSON|bytes"):
        replace(example(), facts=facts).to_json()


def test_what_has_no_place_in_json_is_not_written():
    with pytest.raises(TypeError, match="Path has no place in JSON"):
        replace(example(), facts={"folder": Path("x")}).to_json()


def test_both_generations_count_as_needed():
    assert example().file_names() == {
        generation_file_name(number, role)
        for number in (1, 2)
        for role in ("weights", "state", "keepsake")
    }


def changed(*keys, to):
    record = json.loads(example().to_json())
    inner = record
    for key in keys[:-1]:
        inner = inner[key]
    inner[keys[-1]] = to
    return json.dumps(record).encode()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "not an object"),
        (b"{}", "schema should be a whole number"),
        (b" " * (MAX_BYTES + 1), "larger than"),
        (example().to_json()[:-20], "not JSON"),
        (changed("schema", to=0), "never existed"),
        (changed("schema", to=True), "schema should be a whole number"),
        (changed("kind", to="painting"), "neither a model nor an adaptation"),
        (changed("name", to="../etc"), "cannot be the name"),
        (changed("name", to=None), "name should be text"),
        (changed("parent", to=3), "parent should be an object"),
        (changed("parent", "sha256", to="A" * 64), "64 hexadecimal digits"),
        (changed("config", to=[]), "config should be an object"),
        (changed("facts", to="none"), "facts should be an object"),
        (changed("facts", to=float("nan")), "not JSON"),
        (changed("created", to="yesterday"), "created is not a time"),
        (changed("updated", to="2025-01-02T03:04:05"), "updated has no time zone"),
        (changed("versions", "ost", to=1), "versions should be text"),
        (changed("current", to=None), "current should be an object"),
        (changed("current", "step", to=-1), "cannot be negative"),
        (changed("current", "number", to=1), "out of order"),
        (changed("current", "files", to={}), "no weights"),
        (changed("current", "files", "virus", to={}), "unknown role"),
        (changed("current", "files", "weights", "name", to="../1.safetensors"), "not the name"),
        (changed("current", "files", "weights", "num_bytes", to=-1), "negative size"),
        (changed("current", "files", "weights", "num_bytes", to=1.5), "a whole number"),
        (changed("current", "files", "weights", "sha256", to="short"), "64 hexadecimal digits"),
    ],
)
def test_a_damaged_manifest_is_refused_in_a_sentence_with_the_file(data, reason):
    with pytest.raises(DamagedError, match=reason) as caught:
        Manifest.from_json(data, path=PATH)
    assert str(PATH) in caught.value.message
    assert "\n" not in caught.value.message


def test_a_newer_schema_asks_for_an_upgrade():
    with pytest.raises(StoreError, match="newer ost") as caught:
        Manifest.from_json(changed("schema", to=2), path=PATH)
    assert not isinstance(caught.value, DamagedError)
    assert "pgrade" in caught.value.hint


def test_unknown_keys_are_passed_over():
    assert Manifest.from_json(changed("colour", to="red"), path=PATH) == example()


@pytest.mark.parametrize(
    "name", ["winter", "winter+summer_2-b.x", "Schnee", "雪景", "हिन्दी", "a" * 100, "1", "console"]
)
def test_names_of_any_script_are_fine(name):
    assert check_name(name) == unicodedata.normalize("NFC", name)


def test_a_name_is_the_same_however_it_was_typed():
    assert check_name("u\u0308ber") == "über"


@pytest.mark.parametrize(
    "name",
    [
        *[
            "",
            ".",
            "..",
            ".hidden",
            "-rf",
            "a/b",
            "a\\b",
            "a b",
            "a\n",
            "a:b",
            "a*",
            "\0",
            "\udcfc",
        ],
        *["a" * 101, "雪" * 100, "con", "NUL", "com1.txt", "trailing.", "a\u202eb"],
    ],
)
def test_names_that_some_system_refuses_are_usage_errors(name):
    with pytest.raises(UsageError, match="cannot be the name") as caught:
        check_name(name)
    suggestion = caught.value.hint.removeprefix("use a name such as ")
    assert check_name(suggestion) == suggestion


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Winter photos (2024)", "Winter-photos-2024"),
        ("  .hidden/ ", "hidden"),
        ("übermäßig", "übermäßig"),
        ("雪 景", "雪-景"),
        ("", "model"),
        ("???", "model"),
        ("con", "model-con"),
        ("x" * 300, "x" * 100),
        ("雪" * 300, "雪" * 66),
        ("-.-", "model"),
    ],
)
def test_any_text_gives_a_valid_name(text, name):
    assert slug(text) == name
    assert check_name(slug(text)) == name


def test_generation_files_are_told_by_name():
    assert generation_file_name(42, "weights") == "000042.safetensors"
    assert generation_file_name(1_234_567, "state") == "1234567.state.safetensors"
    assert is_generation_file("000042.keepsake.safetensors")
    assert not any(
        map(is_generation_file, ["manifest.json", "42.safetensors", "000042.safetensors.tmp", "x"])
    )
