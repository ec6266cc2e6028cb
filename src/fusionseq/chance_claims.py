"""What chance has to do with the difference between fusion and the sequential model.

Source, of the probability of outperforming: X. Bouthillier et al., Proceedings of Machine Learning and Systems 3, 2021.
"""

from fusionseq.evidence import Claim, Evidence, Outcome

# A probability of outperforming beyond which Bouthillier et al. call a difference meaningful.
_MEANINGFUL = 0.75

# What follows says with how many seeds.
_ONE_BY_ONE = (
    r"Seed by seed, the exact McNemar test, corrected for all \VAR{corrections.num_seed_tests|counted('such test')}, "
    r"finds \VAR{ahead} significantly better"
)
_UNCORRECTED = r"uncorrected, with \VAR{num_significant_uncorrected|in_words}"
_PROBABILITY = (
    r"The probability that one training of the fusion model has the higher test accuracy than one of the sequential "
    r"model with the same seed is estimated at \VAR{outperforming.probability|fixed(2)} "
    r"(\VAR{confidence|percent} interval from "
    r"\VAR{outperforming.interval[0]|fixed(2)} to \VAR{outperforming.interval[1]|fixed(2)}), which by the criteria of "
    r"\citet{bouthillier2021} is"
)
_OVER_SEEDS = (
    r"Over the trainings rather than the images, the $t$ interval of the difference is from "
    r"\VAR{seeds_lead_interval[0]|points(2)} to \VAR{seeds_lead_interval[1]|points(2)} percentage points, and the "
    r"exact permutation test gives \VAR{seeds_p_value|pvalue}"
)
_DETECTS = (
    r"At this number of test images and with \VAR{discordant_pairs}, one McNemar test at the \VAR{level|percent} "
    r"level, uncorrected, detects with a power of \VAR{wanted_power|percent} a difference of "
    r"\VAR{smallest_difference|points(2)} percentage points or more"
)
_OBSERVED = rf"{_DETECTS}. The observed difference of \VAR{{lead|points(2)}} points is"


def _has_several_seeds(evidence: Evidence) -> bool:
    return evidence.num_seeds > 1 and evidence.lead != 0


def _share_of_significant_seeds(evidence: Evidence) -> float:
    return int(evidence.comparison["num_significant"]) / evidence.num_seeds


def _lowest(evidence: Evidence) -> float:
    return float(evidence.comparison["outperforming"]["interval"][0])


def _highest(evidence: Evidence) -> float:
    return float(evidence.comparison["outperforming"]["interval"][1])


def _can_show_over_seeds(evidence: Evidence) -> bool:
    return evidence.num_seeds > 1 and evidence.comparison["seeds_smallest_p_value"] < evidence.level


def _shows_over_seeds(evidence: Evidence) -> bool:
    return _can_show_over_seeds(evidence) and evidence.comparison["seeds_p_value_corrected"] < evidence.level


def _has_discordant_pairs(evidence: Evidence) -> bool:
    return bool(evidence.comparison["discordant_share"] > 0)


def _can_detect(evidence: Evidence) -> bool:
    """Whether any difference, however large, could be found significant with so many test images."""
    return evidence.comparison["smallest_difference"] is not None


def _is_detectable(evidence: Evidence) -> bool:
    return _can_detect(evidence) and abs(evidence.lead) >= evidence.comparison["smallest_difference"]


CHANCE_CLAIMS: tuple[Claim, ...] = (
    Claim(
        "seeds",
        "Would each of the seeds alone have shown it?",
        (
            Outcome(
                "single",
                lambda evidence: evidence.num_seeds == 1,
                "A single seed says nothing of how much the result would vary from one training to the next.",
            ),
            Outcome(
                "equal",
                lambda evidence: evidence.num_seeds > 1 and evidence.lead == 0,
                "No seed can speak for the model that is ahead, since neither is.",
            ),
            Outcome(
                "each",
                lambda evidence: _has_several_seeds(evidence) and _share_of_significant_seeds(evidence) == 1,
                rf"{_ONE_BY_ONE} with \VAR{{'both seeds' if seeds|length == 2 else 'each of the seeds'}}.",
            ),
            Outcome(
                "some",
                lambda evidence: _has_several_seeds(evidence) and 0 < _share_of_significant_seeds(evidence) < 1,
                rf"{_ONE_BY_ONE} with only \VAR{{num_significant|in_words}} of the \VAR{{seeds|length|in_words}} "
                rf"seeds; {_UNCORRECTED}. What a study with one seed finds depends on the seed.",
            ),
            Outcome(
                "none",
                lambda evidence: _has_several_seeds(evidence) and _share_of_significant_seeds(evidence) == 0,
                rf"{_ONE_BY_ONE} with none of the \VAR{{seeds|length|in_words}} seeds; {_UNCORRECTED}.",
            ),
        ),
    ),
    Claim(
        "over_seeds",
        "Does the difference stand out from the spread between trainings?",
        (
            Outcome(
                "single",
                lambda evidence: evidence.num_seeds == 1,
                "With a single seed, nothing can be tested over seeds.",
            ),
            Outcome(
                "out_of_reach",
                lambda evidence: evidence.num_seeds > 1 and not _can_show_over_seeds(evidence),
                rf"{_OVER_SEEDS}, where \VAR{{seeds|length|counted('seed')}} can give no less than "
                r"\VAR{seeds_smallest_p_value|pvalue(named=false)}, and so show nothing at the \VAR{level|percent} "
                "level.",
            ),
            Outcome(
                "shown",
                _shows_over_seeds,
                rf"{_OVER_SEEDS} (\VAR{{seeds_p_value_corrected|pvalue(named=false)}} corrected): the difference "
                "stands out from the spread between trainings as well.",
            ),
            Outcome(
                "open",
                lambda evidence: _can_show_over_seeds(evidence) and not _shows_over_seeds(evidence),
                rf"{_OVER_SEEDS} (\VAR{{seeds_p_value_corrected|pvalue(named=false)}} corrected): the difference "
                "does not stand out from the spread between trainings.",
            ),
        ),
    ),
    Claim(
        "outperforming",
        "Does one training of fusion outperform one of the sequential model often enough to matter?",
        (
            Outcome(
                "fusion",
                lambda evidence: _lowest(evidence) > 0.5 and _highest(evidence) > _MEANINGFUL,
                f"{_PROBABILITY} a significant and meaningful advantage of fusion.",
            ),
            Outcome(
                "fusion_small",
                lambda evidence: _lowest(evidence) > 0.5 and _highest(evidence) <= _MEANINGFUL,
                f"{_PROBABILITY} a significant advantage of fusion, but too small a one to be meaningful.",
            ),
            Outcome(
                "sequential",
                lambda evidence: _highest(evidence) < 0.5 and _lowest(evidence) < 1 - _MEANINGFUL,
                f"{_PROBABILITY} a significant and meaningful advantage of the sequential model.",
            ),
            Outcome(
                "sequential_small",
                lambda evidence: _highest(evidence) < 0.5 and _lowest(evidence) >= 1 - _MEANINGFUL,
                f"{_PROBABILITY} a significant advantage of the sequential model, but too small a one to be "
                "meaningful.",
            ),
            Outcome(
                "open",
                lambda evidence: _lowest(evidence) <= 0.5 <= _highest(evidence),
                f"{_PROBABILITY} no significant advantage of either.",
            ),
        ),
    ),
    Claim(
        "detectable",
        "Could this comparison have shown a difference of the observed size?",
        (
            Outcome(
                "no_pairs",
                lambda evidence: not _has_discordant_pairs(evidence),
                "Both models classify the same images correctly with every seed, so that no test can tell them apart.",
            ),
            Outcome(
                "too_small",
                lambda evidence: _has_discordant_pairs(evidence) and not _can_detect(evidence),
                r"With \VAR{test.num_images|counted('test image')}, no difference, however large, is likely to be "
                r"found significant at the \VAR{level|percent} level.",
            ),
            Outcome(
                "equal",
                lambda evidence: _can_detect(evidence) and evidence.lead == 0,
                f"{_DETECTS}; that none is observed does not exclude a smaller one.",
            ),
            Outcome("yes", _is_detectable, f"{_OBSERVED} not smaller."),
            Outcome(
                "no",
                lambda evidence: _can_detect(evidence) and evidence.lead != 0 and not _is_detectable(evidence),
                rf"{_OBSERVED} smaller: were it the true one, a study with one seed and a test subset of this size "
                r"would detect it with a power of \VAR{power|percent(0)}.",
            ),
        ),
    ),
)
