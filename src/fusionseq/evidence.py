"""What a claim of the paper is, and what it may look at: fusion beside one other model, as statistics.json has them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fusionseq.errors import PipelineError
from fusionseq.escaping import Latex, escape_latex, mark_latex
from fusionseq.reporting import counted, render

FUSION = "fusion"
SEQUENTIAL = "sequential"

# Parts of sentences that have named the model that is ahead.
ACCURACIES = r"\VAR{accuracy_ahead|percent(2)} against \VAR{accuracy_behind|percent(2)}"
DIFFERENCE = (
    r"\VAR{lead|points(2)} percentage points (\VAR{confidence|percent} interval from \VAR{lead_interval[0]|points(2)} "
    r"to \VAR{lead_interval[1]|points(2)}; \VAR{p_value_corrected|pvalue}, \VAR{test_name}"
    r"\VAR{', corrected for ' ~ corrections.num_comparisons|counted('comparison') "
    r"if corrections.num_comparisons > 1 else ''})"
)
NUMBERS = rf"its \VAR{{measure}} is {ACCURACIES}, a difference of {DIFFERENCE}."

_NAMES = {
    FUSION: "the fusion model",
    SEQUENTIAL: "the sequential model",
    "stacked": "the stacked model",
    "wide_head": "the sequential model with the widened head",
    "ensemble": "the ensemble",
}


@dataclass(frozen=True)
class Evidence:
    """Fusion, the first model of every comparison, beside a second one. Methods are conditions or what is derived.

    Attributes
    ----------
    statistics
        The content of reports/statistics.json.
    backbones
        Titles of the backbones that fusion joins, by name and in order; sequential is the first alone.
    second
        Name of the other model.
    """

    statistics: Mapping[str, Any]
    backbones: Mapping[str, str]
    second: str = SEQUENTIAL

    @property
    def comparison(self) -> Mapping[str, Any]:
        """Fusion against the second model."""
        comparison: Mapping[str, Any] = self.statistics["comparisons"][self.second]
        return comparison

    @property
    def lead(self) -> float:
        """By how much the mean accuracy of fusion exceeds that of the second model, as a share."""
        # Equal numbers of images are equal whatever rounding leaves of their shares.
        return 0.0 if self.comparison["better"] is None else float(self.comparison["accuracy_difference"]["mean"])

    @property
    def level(self) -> float:
        """Significant is a p-value below it."""
        return float(1 - self.statistics["confidence"])

    @property
    def num_seeds(self) -> int:
        """Number of trainings of each model."""
        return len(self.statistics["seeds"])

    def shows_fusion(self) -> bool:
        """Fusion is shown to have the greater accuracy."""
        return bool(self.comparison["verdict"] == "shown" and self.comparison["better"] == FUSION)

    def shows_second(self) -> bool:
        """The second model is shown to have the greater accuracy."""
        return bool(self.comparison["verdict"] == "shown" and self.comparison["better"] == self.second)

    def is_open(self) -> bool:
        """The mean accuracies differ, which may be chance."""
        return bool(self.comparison["verdict"] == "open")

    def is_open_for_fusion(self) -> bool:
        """The mean accuracy of fusion is the greater one, which may be chance."""
        return self.is_open() and self.comparison["better"] == FUSION

    def is_open_for_second(self) -> bool:
        """The mean accuracy of the second model is the greater one, which may be chance."""
        return self.is_open() and self.comparison["better"] == self.second

    def is_equal(self) -> bool:
        """The mean accuracies are the same."""
        return bool(self.comparison["verdict"] == "equal")

    @property
    def rivals(self) -> list[str]:
        """Names of all models but fusion and sequential."""
        return [name for name in self.statistics["comparisons"] if name != SEQUENTIAL]

    @property
    def unmatched_rivals(self) -> list[str]:
        """Names of those over which fusion is not shown to be ahead."""
        return [name for name in self.rivals if not Evidence(self.statistics, self.backbones, name).shows_fusion()]

    @property
    def rivals_ahead(self) -> list[str]:
        """Names of those whose mean accuracy exceeds that of fusion."""
        return [name for name in self.rivals if self.statistics["comparisons"][name]["better"] == name]

    def list_calibrated(self, metric: str) -> list[str]:
        """Name the models whose mean loss or calibration error falls with the temperature that validation suggests."""
        models = self.statistics["models"]
        return [name for name, model in models.items() if compute_calibrated(model, metric) < model[metric]["mean"]]

    def name(self, model: str, *, is_opening: bool = False) -> Latex:
        """Name a model in prose, where it opens a sentence with a capital letter."""
        if model in self.backbones:
            return escape_latex(f"{self.backbones[model]} alone")
        name = _NAMES.get(model) or f"the model {escape_latex(self.statistics['models'][model]['title'])}"
        return Latex(name[0].upper() + name[1:] if is_opening else name)

    def collect_values(self) -> dict[str, object]:
        """Collect what the sentences of claims are filled with; "ahead" is fusion where both models are level."""
        models, comparison = self.statistics["models"], self.comparison
        ahead, behind = (FUSION, self.second) if self.lead >= 0 else (self.second, FUSION)
        seeds = counted(self.num_seeds, "seed")
        calibrated, less_loss = self.list_calibrated("calibration_error"), self.list_calibrated("loss")
        return {
            **self.statistics,
            **comparison,
            "level": self.level,
            "discordant_pairs": Latex(
                "as many discordant pairs as here"
                if comparison["smallest_difference"] is None
                or comparison["smallest_difference"] <= comparison["discordant_share"]
                else "all discordant pairs in favour of one model"
            ),
            "titles": list(self.backbones.values()),
            "fusion": models[FUSION],
            "other": models[self.second],
            "other_name": self.name(self.second),
            "other_opening": self.name(self.second, is_opening=True),
            "ahead": self.name(ahead),
            "behind": self.name(behind),
            "accuracy_ahead": models[ahead]["accuracy"]["mean"],
            "accuracy_behind": models[behind]["accuracy"]["mean"],
            # As the model that is ahead sees it.
            "lead": abs(self.lead),
            "lead_interval": self._face(comparison["accuracy_difference"]["interval"]),
            "seeds_lead_interval": self._face(comparison["seeds_interval"]),
            "measure": "test accuracy" if self.num_seeds == 1 else f"mean test accuracy over {seeds}",
            "test_name": "exact McNemar test" if self.num_seeds == 1 else "paired permutation test over images",
            "rivals": self._list(self.rivals),
            "unmatched_rivals": self._list(self.unmatched_rivals),
            "rivals_ahead": self._list(self.rivals_ahead),
            "of_less_loss": self._list(less_loss),
            "not_of_less_loss": self._list(name for name in models if name not in less_loss),
            "calibrated": self._list(calibrated),
            "not_calibrated": self._list(name for name in models if name not in calibrated),
        }

    def _face(self, interval: Sequence[float] | None) -> list[float] | None:
        """Turn an interval of fusion less the second model to the model that is ahead."""
        if interval is None or self.lead >= 0:
            return None if interval is None else list(interval)
        return [-interval[1], -interval[0]]

    def _list(self, models: Iterable[str]) -> list[Latex]:
        return [self.name(model) for model in models]


def compute_calibrated(model: Mapping[str, Any], metric: str) -> float:
    """Mean over the seeds of a model's loss or calibration error after its temperature."""
    values = [of_seed[f"calibrated_{metric}"] for of_seed in model["per_seed"]]
    return float(sum(values) / len(values))


def _find_sequential(_: Evidence) -> str:
    return SEQUENTIAL


@dataclass(frozen=True)
class Outcome:
    """One answer to a claim's question.

    Attributes
    ----------
    name
        Such as "open".
    holds
        The condition.
    sentence
        LaTeX, to be filled with `Evidence.collect_values`.
    """

    name: str
    holds: Callable[[Evidence], bool]
    sentence: str


@dataclass(frozen=True)
class Claim:
    """A question to the results, and what the paper says to each answer.

    Attributes
    ----------
    name
        Under which the template finds the answer.
    question
        What is asked.
    outcomes
        Of which exactly one holds.
    find_second
        Names the model that fusion is compared with; None where this run cannot answer.
    """

    name: str
    question: str
    outcomes: tuple[Outcome, ...]
    find_second: Callable[[Evidence], str | None] = _find_sequential


@dataclass(frozen=True)
class Answer:
    """The outcome of a claim, and its sentence as it is printed."""

    outcome: str
    sentence: Latex


def answer(claim: Claim, evidence: Evidence) -> Answer:
    """Choose the outcome that holds, and fill its sentence.

    Raises
    ------
    PipelineError
        Not exactly one outcome holds.
    """
    holding = [outcome for outcome in claim.outcomes if outcome.holds(evidence)]
    if len(holding) != 1:
        names = ", ".join(outcome.name for outcome in holding) or "none"
        raise PipelineError(
            f"exactly one outcome of the claim {claim.name} must hold; mend its conditions. Got {names}."
        )
    (outcome,) = holding
    return Answer(outcome.name, mark_latex(render(outcome.sentence, evidence.collect_values())))
