"""The models that can be named in params.yaml, and what each is. No TensorFlow is needed to read it."""

from collections.abc import Sequence
from dataclasses import dataclass

from fusionseq.catalog import BACKBONES
from fusionseq.errors import PipelineError


@dataclass(frozen=True)
class Stem:
    """Frozen layers of one backbone that a trained layer follows, which frozen layers of another follow.

    Nothing behind the trained layer can be stored: it changes with every step.

    Attributes
    ----------
    backbone
        Whose layers they are.
    layer
        The last of them; what it gives is stored.
    adapter
        The trained layer that follows.
    next_backbone, entry
        Whose layers follow that, and the first of them. No cut may lie before it.
    stride
        Side of the image over that of the activations between; a side that is no multiple of it would be rounded in
        another way by each backbone.
    """

    backbone: str
    layer: str
    adapter: str
    next_backbone: str
    entry: str
    stride: int


@dataclass(frozen=True)
class Model:
    """What must be known of a model before it is built. `fusionseq.models.NAME.build_NAME` builds it.

    Attributes
    ----------
    title
        Its name in figures and tables.
    description
        What it is, in a few words; {first} and {second} are the titles of the run's backbones.
    needs
        Backbones that must be among those of the run, since it is made of their layers.
    stem
        None where each of its backbones is cut where params.yaml says.
    """

    title: str
    description: str
    needs: tuple[str, ...] = ()
    stem: Stem | None = None


STACKED_STEM = Stem("vgg16", "block3_pool", "adapter", "mobilenetv2", "block_6_expand", stride=8)

MODELS: dict[str, Model] = {
    "fusion": Model("Fusion", "{first} and {second} side by side, their pooled features concatenated"),
    "sequential": Model("Sequential", "{first} alone, the source paper's second model"),
    "stacked": Model(
        "Stacked",
        "the first three blocks of VGG16, a learned 1 × 1 convolution, and MobileNetV2 from block_6_expand on",
        needs=("mobilenetv2", "vgg16"),
        stem=STACKED_STEM,
    ),
    "wide_head": Model("Wide head", "{first} alone, its head as large as that of fusion"),
}


# The source paper's own, which every run trains; the first is what all others are compared with.
PAPER_MODELS = ("fusion", "sequential")


def list_models(controls: Sequence[str]) -> list[str]:
    """Name the models that a run trains, in their order everywhere."""
    return [*PAPER_MODELS, *controls]


def find_model(name: str) -> Model:
    """Find a model by its name, which may be that of a backbone: that backbone alone.

    Raises
    ------
    PipelineError
        There is none of that name.
    """
    if name in MODELS:
        return MODELS[name]
    if name not in BACKBONES:
        raise PipelineError(f"a model must be one of {', '.join((*MODELS, *BACKBONES))}. Got {name!r}.")
    return Model(BACKBONES[name].title, f"{BACKBONES[name].title} alone", needs=(name,))


def describe_model(name: str, backbones: Sequence[str]) -> str:
    """Say in a few words what a model makes of the backbones of a run."""
    first, second = (BACKBONES[backbone].title for backbone in backbones)
    return find_model(name).description.format(first=first, second=second)


def describe_ensemble(members: Sequence[str]) -> str:
    """Say in a few words what an ensemble is."""
    titles = [find_model(name).title for name in members]
    return f"mean of the probabilities of {', '.join(titles[:-1])} and {titles[-1]}"


def find_stems(backbone: str, models: Sequence[str]) -> dict[str, str]:
    """Find the layers of a backbone that some models build on: their names by that of the model."""
    stems = {name: find_model(name).stem for name in models}
    return {name: stem.layer for name, stem in stems.items() if stem is not None and stem.backbone == backbone}
