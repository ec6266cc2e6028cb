"""Where everything lies, below one root folder."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Paths:
    """Locations of the pipeline's files.

    Attributes
    ----------
    root
        Folder of dvc.yaml; a test may use any other.
    """

    root: Path

    @property
    def params(self) -> Path:
        """Every choice of the experiment."""
        return self.root / "params.yaml"

    @property
    def profiles(self) -> Path:
        """Sections of params.yaml in which other experiments differ."""
        return self.root / "profiles"

    @property
    def code(self) -> Path:
        """All Python code of the pipeline."""
        return self.root / "src"

    @property
    def requirements(self) -> Path:
        """The locked environment."""
        return self.root / "requirements.txt"

    @property
    def gpu_requirements(self) -> Path:
        """The same for a GPU."""
        return self.root / "requirements-gpu.txt"

    @property
    def embedded_recipe(self) -> Path:
        """How the shipped backbones are to be made."""
        return self.root / "pretraining" / "params.yaml"

    @property
    def lock(self) -> Path:
        """What DVC last ran, and with what result."""
        return self.root / "dvc.lock"

    @property
    def embedded_weights(self) -> Path:
        """The backbones that ship with the repository."""
        return self.root / "pretraining" / "backbones.safetensors"

    @property
    def embedded_record(self) -> Path:
        """How the shipped backbones were made."""
        return self.root / "pretraining" / "backbones.json"

    @property
    def checksums(self) -> Path:
        """Digests of what was downloaded."""
        return self.root / "checksums.json"

    @property
    def downloads(self) -> Path:
        """Downloaded files, whole and in part; no stage's output, so that nothing is fetched twice."""
        return self.scratch / "downloads"

    @property
    def raw(self) -> Path:
        """Encoded images as they were fetched."""
        return self.root / "data" / "raw"

    @property
    def manifest(self) -> Path:
        """What was fetched, and from where."""
        return self.raw / "manifest.json"

    @property
    def backbones(self) -> Path:
        """Weights of each backbone."""
        return self.root / "data" / "backbones"

    @property
    def backbone_record(self) -> Path:
        """How the weights of the backbones were made."""
        return self.backbones / "record.json"

    @property
    def subsets(self) -> Path:
        """Which image is in which subset."""
        return self.root / "data" / "splits" / "subsets.csv"

    @property
    def duplicates(self) -> Path:
        """What the split made of duplicates."""
        return self.root / "data" / "splits" / "duplicates.json"

    @property
    def processed(self) -> Path:
        """Decoded and resized images, in shards."""
        return self.root / "data" / "processed" / "images"

    @property
    def skipped(self) -> Path:
        """Images that could not be decoded."""
        return self.processed.with_name("skipped.csv")

    @property
    def features(self) -> Path:
        """What the frozen layers say of each image."""
        return self.root / "data" / "features"

    def feature_mode(self, backbone: str) -> Path:
        """Whether it is stored; the same for every backbone."""
        return self.features / backbone / "mode.json"

    @property
    def models(self) -> Path:
        """Trained models by architecture and seed."""
        return self.root / "data" / "models"

    def model(self, architecture: str, seed: int) -> Path:
        """One trained model."""
        return self.models / architecture / str(seed)

    @property
    def scratch(self) -> Path:
        """State of trainings that were killed."""
        return self.root / ".scratch"

    @property
    def metrics(self) -> Path:
        """Mean and standard deviation of each metric, by model."""
        return self.root / "reports" / "metrics.json"

    @property
    def statistics(self) -> Path:
        """Everything else that was computed from the predictions."""
        return self.root / "reports" / "statistics.json"

    def history(self, architecture: str) -> Path:
        """Loss and accuracy by epoch."""
        return self.root / "reports" / "history" / f"{architecture}.csv"

    def predictions(self, architecture: str) -> Path:
        """The predicted class of each test image."""
        return self.root / "reports" / "predictions" / f"{architecture}.csv"

    def probabilities(self, architecture: str) -> Path:
        """The probability of each class for each test image."""
        return self.root / "reports" / "probabilities" / f"{architecture}.csv"

    @property
    def figures(self) -> Path:
        """Figures as PDF for the paper and as PNG for the README."""
        return self.root / "reports" / "figures"

    @property
    def benchmark(self) -> Path:
        """How long everything took, when it was last measured."""
        return self.root / "benchmarks" / "results.json"

    @property
    def paper(self) -> Path:
        """The template, the published numbers, the references; and what is typeset of them."""
        return self.root / "paper"

    @property
    def template(self) -> Path:
        """The paper, with gaps for results."""
        return self.paper / "report.tex.jinja"

    @property
    def sections(self) -> Path:
        """Its sections, which the template takes in."""
        return self.paper / "sections"

    @property
    def published(self) -> Path:
        """What the source paper reports."""
        return self.paper / "published.yaml"

    @property
    def report_source(self) -> Path:
        """The paper with the gaps filled in."""
        return self.paper / "report.tex"

    @property
    def report(self) -> Path:
        """The paper, typeset."""
        return self.paper / "report.pdf"
