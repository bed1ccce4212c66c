import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torchvision.models import vgg16

from ostcli.config import FeatureNetwork
from ostcli.errors import InputError
from ostcli.paper import features as module
from ostcli.paper.features import (
    PerceptualNetwork,
    fetch_perceptual_network,
    load_perceptual_network,
    open_perceptual_network,
)


def test_five_layers_from_fine_to_coarse(network, noise_picture):
    features = network(noise_picture(128, 96))
    assert [layer.shape[0] for layer in features] == [128, 256, 384, 512, 512]
    places = [layer.shape[1] for layer in features]
    assert places == sorted(places, reverse=True)


def test_vgg_gives_its_four_activations(noise_picture):
    torch.manual_seed(0)
    whole = vgg16(weights=None)
    network = PerceptualNetwork(whole.state_dict())
    features = network(noise_picture(64, 48))

    assert network.kind is FeatureNetwork.VGG16
    sides = [1, 2, 4, 8]
    assert [tuple(layer.shape) for layer in features] == [
        (channels, 64 * 48 // side**2)
        for channels, side in zip([64, 128, 256, 512], sides, strict=True)
    ]
    assert all(float(layer.min()) >= 0 for layer in features), "after the ReLU"


def test_the_classifiers_weights_may_be_missing(random_weights, network, noise_picture):
    own = {name: w for name, w in random_weights.items() if name.startswith("features.")}
    picture = noise_picture(40, 40)
    for one, other in zip(PerceptualNetwork(own)(picture), network(picture), strict=True):
        assert torch.equal(one, other)


def test_weights_are_fetched_into_the_store(monkeypatch, random_weights):
    asked = []

    def get_state_dict(**options):
        asked.append(options)
        return random_weights

    architecture = module.ARCHITECTURES[FeatureNetwork.SQUEEZENET]
    monkeypatch.setattr(
        type(architecture.weights), "get_state_dict", lambda self, **o: get_state_dict(**o)
    )
    fetched = open_perceptual_network(FeatureNetwork.SQUEEZENET)

    assert fetched.kind is FeatureNetwork.SQUEEZENET
    assert asked[0]["check_hash"]
    assert asked[0]["model_dir"].endswith("perceptual")


def test_what_cannot_be_fetched_is_an_error_with_the_address(monkeypatch):
    def get_state_dict(self, **options):
        raise OSError("no network")

    architecture = module.ARCHITECTURES[FeatureNetwork.VGG16]
    monkeypatch.setattr(type(architecture.weights), "get_state_dict", get_state_dict)
    with pytest.raises(
        InputError, match=r"vgg16 could not be fetched .*download.pytorch.org"
    ) as refused:
        fetch_perceptual_network(FeatureNetwork.VGG16)
    assert "--weights" in refused.value.hint


def test_a_large_picture_is_seen_at_a_megapixel(network):
    large = network(Image.new("RGB", (4000, 1000)))
    half = network(Image.new("RGB", (2000, 500)))
    assert [layer.shape for layer in large] == [layer.shape for layer in half]


def test_a_tiny_picture_is_enlarged(network):
    assert all(layer.shape[1] > 0 for layer in network(Image.new("RGB", (5, 9))))


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("is_folder", [True, False])
def test_weights_are_read_from_a_file_or_its_folder(
    tmp_path, random_weights, network, noise_picture, suffix, is_folder
):
    path = tmp_path / f"weights{suffix}"
    (torch.save if suffix == ".pth" else save_file)(random_weights, path)
    (tmp_path / "README.md").write_text("whence they are")
    loaded = load_perceptual_network(tmp_path if is_folder else path)
    picture = noise_picture(40, 40)
    for one, other in zip(loaded(picture), network(picture), strict=True):
        assert torch.equal(one, other)


def no_file(path):
    return path / "nothing.pth"


def empty_folder(path):
    return path


def two_files(path):
    for name in ("a.pth", "b.pth"):
        (path / name).write_bytes(b"")
    return path


def no_weights(path):
    file = path / "text.pth"
    file.write_text("hello")
    return file


def broken_safetensors(path):
    file = path / "broken.safetensors"
    file.write_bytes(b"\x08")
    return file


def other_weights(path):
    file = path / "other.pth"
    torch.save({"layer": torch.zeros(3)}, file)
    return file


def a_list(path):
    file = path / "list.pth"
    torch.save([torch.zeros(3)], file)
    return file


def code(path):
    file = path / "code.pth"
    torch.save({"layer": print}, file)
    return file


@pytest.mark.parametrize(
    "make",
    [no_file, empty_folder, two_files, no_weights, broken_safetensors, other_weights, a_list, code],
)
def test_anything_else_is_refused_with_a_sentence(tmp_path, make):
    with pytest.raises(InputError, match=r"weights") as refused:
        load_perceptual_network(make(tmp_path))
    assert "squeezenet1_0" in refused.value.hint
