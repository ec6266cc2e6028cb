import pytest
from page_values import BACKBONES, CITATIONS
from paper_values import SIX_MODELS, SIX_P_VALUES, make_statistics

from fusionseq.page.answers import Answer, build_answers


@pytest.mark.parametrize(
    ("correct", "p_value", "outcome", "news"),
    [
        ([350, 340], 0.01, "fusion", "The fusion model outperforms the sequential one"),
        ([340, 350], 0.01, "sequential", "The sequential model outperforms the fusion one"),
        ([345, 344], 0.7, "open", "This run does not show that either of the two models is better."),
        ([345, 345], 1.0, "equal", "The fusion and the sequential model have the same test accuracy, 95.83%."),
    ],
)
def test_the_news_are_those_of_the_paper(correct: list[int], p_value: float, outcome: str, news: str) -> None:
    statistics = make_statistics({"fusion": correct[:1], "sequential": correct[1:]}, {"sequential": p_value})
    verdict = build_answers(statistics, BACKBONES, CITATIONS)["verdict"]
    assert (verdict.outcome, verdict.news) == (outcome, news)
    assert verdict.sentence.replace(":", "").startswith(verdict.news.removesuffix("."))
    assert verdict.sentence.endswith(verdict.details)


def test_every_question_of_a_run_has_an_answer_without_latex() -> None:
    answers = build_answers(make_statistics(SIX_MODELS, SIX_P_VALUES), BACKBONES, CITATIONS)
    assert {"verdict", "over_seeds", "attribution", "stacked", "calibration"} <= set(answers)
    for answer in answers.values():
        assert answer.question.endswith("?")
        assert not set("\\{}$") & set(answer.sentence)


def test_a_model_of_ones_own_is_asked_about() -> None:
    correct = {"fusion": [350], "sequential": [340], "my_own": [330]}
    statistics = make_statistics(correct, {"sequential": 0.01, "my_own": 0.01})
    answer = build_answers(statistics, BACKBONES, CITATIONS)["against_my_own"]
    assert answer.question == "Does fusion classify better than my_own?"
    assert answer.sentence.startswith("The fusion model outperforms the model my_own")


def test_an_answer_without_numbers_is_news_alone() -> None:
    answer = Answer("Why?", "so", "Because.")
    assert (answer.news, answer.details) == ("Because.", "")
