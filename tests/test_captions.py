from pathlib import Path

from fusionseq.page.captions import CAPTIONS, find_caption


def test_every_figure_of_the_pipeline_has_words_of_its_own() -> None:
    figures = {path.stem for path in (Path(__file__).parents[1] / "reports" / "figures").glob("*.png")}
    assert figures == set(CAPTIONS)


def test_words_differ_from_figure_to_figure_and_do_not_repeat_themselves() -> None:
    texts = [text for caption in CAPTIONS.values() for text in (caption.text, caption.alternative)]
    assert len(set(texts)) == len(texts)
    assert all(text.endswith(".") for text in texts)


def test_another_figure_goes_by_its_name() -> None:
    caption = find_caption("my_own")
    assert (caption.text, caption.alternative, caption.section) == ("My own.", "The figure “my own”.", "data")
