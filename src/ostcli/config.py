"""What a run can be told: frozen, checked, saved with the weights.

Built once by the command line or by a program, handed to a workflow whole. Every field has a
sentence, a unit and the source of its default. "Authors" is the published photo code of Benaim and
Wolf 2018; "ours" points to `docs/decisions/`.
"""

import math
import types
import typing
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import Enum, StrEnum
from typing import Any, Self


class Direction(StrEnum):
    """The domain that a picture is translated to."""

    A = "A"
    B = "B"


class Look(StrEnum):
    """What separates the folder's look from the example's: how many layers are A's and B's own."""

    STYLE = "style"
    """Season, light, painting: only the outermost layers are unshared; ours of paintings: all
    (0028)."""
    STRUCTURE = "structure"
    """Labels, maps, drawings: every down- and up-sampling stage is unshared."""


class Medium(StrEnum):
    """What the folder's pictures are, where the look is a style (decision 0029)."""

    AUTO = "auto"
    """What they look like, in the median."""
    PHOTOGRAPH = "photograph"
    PAINTING = "painting"
    """Or a drawing: whatever is made of strokes."""


class Preset(StrEnum):
    """A named set of sizes, weights and lengths."""

    FAST = "fast"
    PAPER = "paper"


class LatentForm(StrEnum):
    """What the encoder gives (decision 0002)."""

    SAMPLED = "sampled"
    """A true VAE: mean and log variance, sampled."""
    DETERMINISTIC = "deterministic"
    """The authors' code: the features themselves, their mean square in place of the KL."""


class Upsampling(StrEnum):
    """How the decoder doubles height and width."""

    NEAREST = "nearest"
    """Nearest neighbour and a 3×3 convolution: no checkerboard."""
    TRANSPOSED = "transposed"
    """The authors' 3×3 stride-2 transposed convolution."""


class Padding(StrEnum):
    """What a layer sees beyond the border of a picture."""

    ZEROS = "zeros"
    REFLECT = "reflect"
    """The picture itself, mirrored: no rim."""


class Norm(StrEnum):
    """How activations are normalised, without learned factors (decision 0001)."""

    INSTANCE = "instance"
    """Each channel by its own mean and deviation over the picture: the authors."""
    LAYER = "layer"
    """All channels together: what one has more of than another, such as colour, is kept."""
    NONE = "none"
    """Not at all; the weights start at He et al.'s scale instead of the authors' 0.02."""


class Distance(StrEnum):
    """How far a reconstruction is from its picture: (1), (4) and (5)."""

    ABSOLUTE = "absolute"
    """The mean absolute difference: the paper, the authors' photo code."""
    SQUARED = "squared"
    """The mean squared difference: the authors' digit code."""


class Reach(StrEnum):
    """Which weights the example's losses (4)–(6) may change: selective back-propagation."""

    DOMAIN_A = "a"
    """A's unshared layers only: the authors' photo code, our default."""
    BOTH_DOMAINS = "a-and-b"
    """A's and B's unshared layers: the slides' formulas, the authors' digit code."""
    EVERYTHING = "everything"
    """The shared layers too: back-propagation that is not selective (Table 1's control)."""


class Birth(StrEnum):
    """What A's layers start phase II from."""

    CLONE = "clone"
    """Copies of B's layers: the paper's text."""
    RANDOM = "random"
    """Fresh weights: the authors' code."""


class Cycle(StrEnum):
    """Which ways round the cycle loss goes (Table 1)."""

    NONE = "none"
    ONE_WAY = "one-way"
    """A → B → A only: the paper."""
    TWO_WAY = "two-way"
    """B → A → B as well: a control."""


class Pull(StrEnum):
    """What draws the example's translation to the folder's look in phase II."""

    AUTO = "auto"
    """PATCHES for a style, in `fast`, and an example that changes its own layers alone; else
    DISCRIMINATOR (decision 0027)."""
    DISCRIMINATOR = "discriminator"
    """D_B, which goes on learning beside: the paper, eq. (6)."""
    PATCHES = "patches"
    """The statistics of the folder's patches; nothing but A's layers learns (decision 0016). Which
    statistics, the model's network says (decision 0028)."""


class FeatureNetwork(StrEnum):
    """By whose features pictures are measured: trained on ImageNet, with torchvision's weights."""

    VGG16 = "vgg16"
    """As in the papers on perceptual distances; 553 MB."""
    SQUEEZENET = "squeezenet"
    """Small enough for a laptop; 5 MB."""


class Finish(StrEnum):
    """What is done with the network's pixels."""

    AUTO = "auto"
    """One of the two others, decided once per adaptation."""
    PHOTO = "photo"
    """The source's own pixels, recoloured as the network says."""
    NETWORK = "network"
    """The network's own pixels."""


class DeviceChoice(StrEnum):
    """Where the arithmetic runs."""

    AUTO = "auto"
    CUDA = "cuda"
    MPS = "mps"
    CPU = "cpu"


class Precision(StrEnum):
    """The number format of convolutions."""

    AUTO = "auto"
    """The faster one, by a short measurement."""
    FP32 = "fp32"
    BF16 = "bf16"
    FP16 = "fp16"
    """For translations, on GPUs that know no bf16; its range is too small for gradients (0041)."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """A frozen record that goes to JSON and back."""

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values; nested records as objects."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Build the record from `to_json`'s values.

        Raises:
            ValueError: a field is unknown or has the wrong type.
        """
        if not isinstance(data, Mapping):
            raise ValueError(f"{cls.__name__} is {data!r}, not an object")
        hints = typing.get_type_hints(cls)
        unknown = set(data) - set(hints)
        if unknown:
            raise ValueError(f"unknown fields {sorted(unknown)} in {cls.__name__}")
        return cls(**{name: _from_json(value, hints[name], name) for name, value in data.items()})


def _from_json(value: Any, hint: Any, name: str) -> Any:  # noqa: ANN401 - JSON values
    if isinstance(hint, types.UnionType):
        if value is None and type(None) in hint.__args__:
            return None
        hint = next(part for part in hint.__args__ if part is not type(None))
    if isinstance(hint, type) and issubclass(hint, Config):
        return hint.from_json(value)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return hint(value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, hint) or (hint is int and isinstance(value, bool)):
        raise ValueError(f"{name} is {value!r}, not {hint.__name__}")
    return value


def _check(condition: bool, sentence: str) -> None:
    if not condition:
        raise ValueError(sentence)


def _check_precision(precision: Precision) -> None:
    _check(
        precision is not Precision.FP16,
        "precision must be fp32 or bf16 in training: fp16 is for translations",
    )


def _check_not_negative(name: str, strength: float) -> None:
    _check(0 <= strength < math.inf, f"{name} must not be negative, nor without end")


@dataclass(frozen=True, kw_only=True)
class NetworkConfig(Config):
    """The architecture: all that is needed to build the networks. Saved with the weights."""

    width: int = 32
    """Channels after the first layer; doubled at each stage. Authors: 64. Ours: decision 0001."""
    num_stages: int = 2
    """Down-sampling (and up-sampling) stages. Authors: 2, cityscapes 3."""
    num_blocks: int = 4
    """Residual blocks of the encoder, and as many of the decoder. Authors: 6. Ours, for
    photographs: 2 (0019)."""
    unshared_stages: int = 0
    """Stages that are A's or B's own, besides the first and last layer. Authors: 0, 2 or 3."""
    unshared_blocks: int = 0
    """Residual blocks of the encoder, and as many of the decoder, that are A's or B's own; only
    where all stages are. Authors: 0. Ours, for paintings: all 4 (0028)."""
    latent: LatentForm = LatentForm.SAMPLED
    """Decision 0002."""
    detail_radius: int = 0
    """Half the side of the box whose mean, taken twice, leaves the fine detail of a picture, in
    pixels. The detail goes past the latent to the last layer, which says how much of its
    brightness and of its colours to keep at each place; 0 for no such path. Authors: none. Ours,
    for photographs: 4 (0014, 0020, 0021)."""
    upsampling: Upsampling = Upsampling.NEAREST
    """Authors: transposed. Ours: decision 0001."""
    padding: Padding = Padding.ZEROS
    """Of the down-sampling layers. Authors: zeros. Ours: reflect (0014)."""
    norm: Norm = Norm.LAYER
    """Of the layers between picture and residual blocks; these always have instance norm.
    Authors: instance. Ours: decision 0001."""
    discriminator_norm: Norm = Norm.NONE
    """Of the discriminator. Authors: instance. Ours: decision 0001."""
    discriminator_width: int = 32
    """Channels after the discriminator's first layer. Authors: 64. Ours: decision 0001."""
    discriminator_layers: int = 3
    """Stride-2 layers of the discriminator; 3 see 70×70 pixels. Authors: 3."""
    discriminator_scales: int = 1
    """Sizes at which the discriminator sees a picture, each by layers of its own: the picture's,
    half of it, a quarter … Authors: 1. Ours, in the demo: 2 (0031)."""

    def __post_init__(self) -> None:
        for name in (
            "width",
            "num_stages",
            "discriminator_width",
            "discriminator_layers",
            "discriminator_scales",
        ):
            _check(getattr(self, name) >= 1, f"{name} must be at least 1")
        for name in ("num_blocks", "detail_radius"):
            _check(getattr(self, name) >= 0, f"{name} must not be negative")
        _check(
            0 <= self.unshared_stages <= self.num_stages,
            f"unshared_stages must lie between 0 and num_stages ({self.num_stages})",
        )
        _check(
            0 <= self.unshared_blocks <= self.num_blocks,
            f"unshared_blocks must lie between 0 and num_blocks ({self.num_blocks})",
        )
        _check(
            not self.unshared_blocks or self.unshared_stages == self.num_stages,
            "unshared_blocks must be 0 where a stage is shared: blocks lie behind the stages",
        )


@dataclass(frozen=True, kw_only=True)
class ViewConfig(Config):
    """The augmentation P: how a training view is drawn from a picture (decision 0003)."""

    size: int = 128
    """Height and width of a training crop, in pixels. Authors: 256."""
    short_side: int | None = None
    """If given, every picture is scaled to this short side first, in pixels. Authors: 286."""
    working_pixels: int = 1_000_000
    """What the network sees of a picture at most, in pixels; larger ones are scaled down to it."""
    span: float = 1.0
    """Largest share of a picture's short side that a view spans by being scaled down, 0 to 1; of no
    effect beside `short_side`, by which the authors' views span 0.9. Ours: decision 0009."""
    flip: bool = True
    """Mirror half of the views left to right. Authors: yes."""
    rotation: float = 7.0
    """Largest rotation of a view, in degrees. Authors: 7."""

    def __post_init__(self) -> None:
        _check(self.size >= 16 and self.size % 4 == 0, "size must be a multiple of 4, at least 16")
        _check(
            self.short_side is None or self.short_side >= self.size,
            "short_side must not be smaller than size",
        )
        most = math.isqrt(max(0, self.working_pixels))
        _check(self.size <= most, f"size must be at most {most} pixels")
        _check(0 <= self.span <= 1, "span must lie between 0 and 1")
        _check(0 <= self.rotation <= 45, "rotation must lie between 0 and 45 degrees")


@dataclass(frozen=True, kw_only=True)
class LossWeights(Config):
    """The factors of the losses; the α of the paper, relative to nothing else."""

    distance: Distance = Distance.ABSOLUTE
    """What (1), (4) and (5) measure. Authors: absolute, of digits squared."""
    weight_reconstruction_b: float = 10.0
    """L_REC_B, eq. (1). Authors: 10 in phase I, 1 in phase II. Ours: 10 in both (0004)."""
    weight_kl: float = 0.1
    """L_VAE_B, eq. (2). Authors: 0.1."""
    weight_adversarial_b: float = 1.0
    """L_GAN_B, eq. (3). Authors: 1."""
    weight_reconstruction_a: float = 1.0
    """L_REC_A, eq. (4). Authors: 1."""
    weight_cycle: float = 10.0
    """L_cycle, eq. (5). Authors: 10."""
    weight_adversarial_ab: float = 2.0
    """L_GAN_AB, eq. (6). Authors: 1. Ours: decision 0010."""
    weight_patch_ab: float = 0.0
    """Sliced Wasserstein distance of the patches of T_AB(x) to B's, beside or in place of (6).
    Authors: none (decision 0016)."""
    weight_gram_ab: float = 0.0
    """Gram distance of the patches of T_AB(x) to B's, beside or in place of (6). Authors: none.
    Ours, for paintings: decision 0028."""

    @property
    def holds_patches(self) -> bool:
        """Whether T_AB(x) is held against patches of B at all."""
        return bool(self.weight_patch_ab or self.weight_gram_ab)


@dataclass(frozen=True, kw_only=True)
class OptimConfig(Config):
    """How the weights are stepped."""

    batch_size: int = 1
    """Views of each domain in one step. Authors: 1."""
    learning_rate: float = 4e-4
    """Adam's rate before its decay. Authors: 2e-4. Ours, for short budgets: decision 0001."""
    beta1: float = 0.5
    """Adam's first decay. Authors: 0.5."""
    beta2: float = 0.999
    """Adam's second decay. Authors: 0.999."""
    decay_share: float = 0.25
    """The last share of the steps, in which the rate falls to 0. Authors: 20 of 80 epochs."""
    average_decay: float = 0.999
    """Decay per step of the moving average of the weights, the weights for use. Ours. It begins as
    an average over the last `average_share` of the steps, so this bounds long trainings alone: with
    a third 0.99 from 300 steps on, 0.999 from 3,000."""
    average_share: float = 1 / 3
    """The last share of the steps, about, that the moving average spans at first; above 0, at most
    1. Ours, in the demo's phase II: a half (0032)."""
    pool_size: int = 50
    """Generated pictures kept for the discriminator. Authors: 50."""

    def __post_init__(self) -> None:
        _check(self.batch_size >= 1, "batch_size must be at least 1")
        _check(self.learning_rate > 0, "learning_rate must be positive")
        _check(0 <= self.decay_share <= 1, "decay_share must lie between 0 and 1")
        _check(0 <= self.average_decay < 1, "average_decay must lie in [0, 1)")
        _check(0 < self.average_share <= 1, "average_share must lie in (0, 1]")


@dataclass(frozen=True, kw_only=True)
class PretrainConfig(Config):
    """Phase I, whole: `ost pretrain`."""

    preset: Preset = Preset.FAST
    look: Look = Look.STYLE
    network: NetworkConfig = NetworkConfig()
    view: ViewConfig = ViewConfig(rotation=0.0)
    weights: LossWeights = LossWeights()
    optim: OptimConfig = OptimConfig()
    random_light: float = 0.0
    """Strength of the random light in which the encoder sees the folder's views, whose own colours
    are asked back; 0 for none. Authors: none. Ours, for photographs: 0.4 (0021)."""
    steps: int | None = 1500
    """Optimiser steps; None where `minutes` is given. Ours: decision 0022; more on a GPU."""
    minutes: float | None = None
    """A budget of time instead of steps."""
    seed: int = 0
    """All chance comes from it and the number of the step (decision 0008)."""
    precision: Precision = Precision.AUTO
    """AUTO measures which is faster before the first step (decision 0007)."""

    def __post_init__(self) -> None:
        _check_not_negative("random_light", self.random_light)
        _check_budget(self.steps, self.minutes)
        _check_seed(self.seed)
        _check_precision(self.precision)
        multiple = 2**self.network.num_stages
        _check(
            self.view.size % multiple == 0,
            f"size must be a multiple of {multiple} pixels, which {self.network.num_stages} "
            "stages halve evenly",
        )
        halvings = self.network.discriminator_layers + self.network.discriminator_scales - 1
        least = 3 * 2**halvings
        _check(
            self.view.size >= least,
            f"size must be at least {least} pixels, or the discriminator sees nothing",
        )


NUM_MORE_FOR_PATCHES = 11
"""Views of the folder besides the batch, among those whose patches a translation's are held
against: one view of one picture would not stand for the look (decision 0025)."""


@dataclass(frozen=True, kw_only=True)
class AdaptConfig(Config):
    """Phase II, whole: `ost adapt`. The architecture is the model's."""

    view: ViewConfig = ViewConfig()
    weights: LossWeights = LossWeights()
    optim: OptimConfig = OptimConfig(average_decay=0.99)
    reach: Reach = Reach.DOMAIN_A
    """Selective back-propagation, or less of it. Authors: A's layers in the photo code."""
    birth: Birth = Birth.CLONE
    """What A's layers start from. Authors: random in the code, clones in the text (0004)."""
    cycle: Cycle = Cycle.ONE_WAY
    """Which ways round the cycle loss goes. Authors: one way."""
    example_rate: float = 1.0
    """Rate of the weights that the example's losses change, by that of the others. Authors: 1
    (decision 0010)."""
    stroke_filter: float | None = None
    """Strength of the filter through which E_A sees pictures, so that strokes are lost on it: the
    variance at which half of a neighbourhood's contrast is left; 0 for none. None for what example
    and folder come to: 0.02 for a painting beside photographs, else 0. Authors: none (0026)."""
    shared_learns: bool = True
    """Whether the folder's losses go on changing the shared layers. Authors: yes."""
    folder_learns: bool = True
    """Whether the folder's losses and D_B go on at all. Authors: yes (decision 0016)."""
    discriminator_meets_example: bool = True
    """Whether D_B, as long as it learns, learns from T_AB(x) too. Authors: yes."""
    random_light: float = 0.0
    """Strength of the random light in which the encoder sees the folder's views, as in phase I."""
    share_alike: float = 0.5
    """Share of the folder's views whose patches a translation's are held against: those whose
    brightness is shared out most like the example's; 1 for all (decision 0025)."""
    steps: int | None = 60
    """Optimiser steps; None where `minutes` is given. Ours: decision 0018; by patches 75, of
    paintings 150 (decisions 0037 and 0028)."""
    minutes: float | None = None
    """A budget of time instead of steps."""
    seed: int = 0
    """All chance comes from it and the number of the step (decision 0008)."""
    precision: Precision = Precision.AUTO
    """AUTO measures which is faster before the first step (decision 0007)."""

    @property
    def num_views_b(self) -> int:
        """Views of the folder in one step: more than the batch, if their patches are looked at."""
        more = NUM_MORE_FOR_PATCHES if self.weights.holds_patches else 0
        return self.optim.batch_size + more

    def __post_init__(self) -> None:
        _check(self.example_rate > 0, "example_rate must be positive")
        _check_not_negative("stroke_filter", self.stroke_filter or 0.0)
        _check(
            self.folder_learns or self.reach is Reach.DOMAIN_A,
            "where the folder does not learn, as with a pull by patches, the example may change no "
            "layers but its own",
        )
        _check_not_negative("random_light", self.random_light)
        _check(0 < self.share_alike <= 1, "share_alike must lie between 0 and 1, and not be 0")
        _check_budget(self.steps, self.minutes)
        _check_seed(self.seed)
        _check_precision(self.precision)


def _check_budget(steps: int | None, minutes: float | None) -> None:
    _check((steps is None) != (minutes is None), "give either steps or minutes")
    _check(steps is None or steps >= 1, "steps must be at least 1")
    _check(
        minutes is None or 0 < minutes < math.inf, "minutes must be positive and not without end"
    )


def _check_seed(seed: int) -> None:
    _check(0 <= seed < 2**63, "seed must lie between 0 and 2**63 - 1")
