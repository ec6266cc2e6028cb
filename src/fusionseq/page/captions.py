"""What is seen in each figure of reports/figures."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Caption:
    """Words for a figure.

    Attributes
    ----------
    text
        Below it.
    alternative
        In its place, for those who do not see it: what it shows, and where its numbers stand on the page.
    section
        Part of the page that it belongs to.
    is_repeated
        Whether that part shows the same itself, and in a way that answers to the reader.
    """

    text: str
    alternative: str
    section: str
    is_repeated: bool = False


CAPTIONS: dict[str, Caption] = {
    "metric_comparison": Caption(
        "Accuracy, macro-F1 and loss of every model: the mean and standard deviation over seeds, and below it each "
        "seed with its interval.",
        "Three panels, for accuracy, macro-F1 and loss. Each has a row for each model, with a diamond at the mean over "
        "the seeds and dots with intervals for single seeds. The tables of models and of seeds hold the numbers.",
        "models",
    ),
    "differences": Caption(
        "Accuracy and macro-F1 of the fusion model less those of every other model, with bootstrap intervals. To the "
        "right of zero the fusion model is better.",
        "Two panels, for accuracy and macro-F1. Each has a row for each model other than fusion, with a diamond at "
        "the difference from fusion, its interval, and a vertical line at zero. The table of models holds the numbers.",
        "models",
    ),
    "training_curves": Caption(
        "The same curves as the paper prints them: training dashed, validation solid, the band reaching from the "
        "lowest seed to the highest.",
        "For each model a panel of the loss above one of the accuracy, by epoch, with a dashed line for training, a "
        "solid one for validation, and a dotted vertical line where fine-tuning starts. The tables hold the numbers.",
        "training",
        is_repeated=True,
    ),
    "confusion_matrices": Caption(
        "The confusion matrices of the two models of the source paper, as the paper prints them.",
        "Two square matrices side by side, one for the fusion and one for the sequential model, with true classes in "
        "rows and predicted classes in columns. Most of the weight lies on the diagonal if a model is good. The same "
        "counts stand in this section as text.",
        "classes",
        is_repeated=True,
    ),
    "class_f1": Caption(
        "F1 of each class for every model: the mean over seeds, and the range from the lowest seed to the highest.",
        "A row for each class; in it, for each model, a marker at the mean F1 over the seeds and a line from the "
        "lowest seed to the highest.",
        "classes",
    ),
    "reliability": Caption(
        "Calibration: the accuracy within bins of predictions by their confidence. Below the diagonal a model is more "
        "confident than it should be.",
        "A panel for each model with confidence across and accuracy upwards. Dots are bins of images, and vertical "
        "lines join them to the diagonal on which a calibrated model would lie. The calibration error stands above "
        "each panel.",
        "classes",
    ),
    "errors": Caption(
        "The test images that the two models of the source paper get most wrong, as the paper prints them.",
        "Up to eight test images in rows of four. Below each stand its true class and what the fusion and the "
        "sequential model predict, with their probabilities. This section holds the same as text.",
        "errors",
        is_repeated=True,
    ),
    "samples": Caption(
        "Images of each class.",
        "For each class its name, and a strip of some of its images.",
        "data",
    ),
    "class_distribution": Caption(
        "Number of images of each class in the training, validation and test subsets.",
        "A row or group of bars for each class, with a bar for each of the three subsets.",
        "data",
    ),
}


def find_caption(name: str) -> Caption:
    """Find the words for a figure; one that is not known goes by its name."""
    title = name.replace("_", " ")
    return CAPTIONS.get(name) or Caption(f"{title[:1].upper()}{title[1:]}.", f"The figure “{title}”.", "data")
