"""What the results answer to the questions of the paper, sentence for sentence as the paper has it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fusionseq.chance_claims import CHANCE_CLAIMS
from fusionseq.claims import CLAIMS, choose_claims
from fusionseq.control_claims import CONTROL_CLAIMS, build_claim_on
from fusionseq.page.plain import print_plainly

_QUESTIONS = {claim.name: claim.question for claim in (*CLAIMS, *CHANCE_CLAIMS, *CONTROL_CLAIMS)}
# Where the news ends and its numbers begin.
_TURN = re.compile(r"(?<=[:.])\s+")


@dataclass(frozen=True)
class Answer:
    """A question to the results, and their answer.

    Attributes
    ----------
    question
        A sentence.
    outcome
        Which of the possible answers it is.
    sentence
        One or more sentences, as plain text.
    """

    question: str
    outcome: str
    sentence: str

    @property
    def news(self) -> str:
        """The answer up to its numbers, without a colon before them."""
        return _TURN.split(self.sentence, maxsplit=1)[0].removesuffix(":")

    @property
    def details(self) -> str:
        """What follows; may be empty."""
        return self.sentence[len(self.news) :].removeprefix(":").strip()


def build_answers(
    statistics: Mapping[str, Any], backbones: Mapping[str, str], citations: Mapping[str, str]
) -> dict[str, Answer]:
    """Answer every question that the run can answer.

    Parameters
    ----------
    statistics
        The content of statistics.json.
    backbones
        Titles of the two backbones that fusion joins, by name and in order.
    citations
        What is printed for a publication, by its key.

    Returns
    -------
    dict[str, Answer]
        By the name of the claim, in the order of the paper's declarations.
    """
    claims = choose_claims(statistics, backbones)
    return {
        name: Answer(_find_question(name), claim.outcome, print_plainly(claim.sentence, citations).strip())
        for name, claim in claims.items()
    }


def _find_question(name: str) -> str:
    return _QUESTIONS.get(name) or build_claim_on(name.removeprefix("against_")).question
