import pytest

from fusionseq.errors import PipelineError
from fusionseq.experiments import parse_parameters, parse_predictions, parse_statistics

TABLE = "image,seed,actual,predicted\nb,10,x,y\na,10,x,x\nb,9,x,x\na,9,x,y\n"


def test_predictions_are_sorted_by_image_and_by_the_number_of_the_seed() -> None:
    predictions = parse_predictions(TABLE, "here")
    assert (predictions.images, predictions.actual, predictions.seeds) == (("a", "b"), ("x", "x"), (9, 10))
    assert predictions.predicted == (("y", "x"), ("x", "y"))


def test_names_of_any_characters_are_read() -> None:
    table = 'image,seed,actual,predicted\n"a,\r""b""\n",0,"1|2","\r"\n'
    predictions = parse_predictions(table, "here")
    assert (predictions.images, predictions.actual, predictions.predicted) == (('a,\r"b"\n',), ("1|2",), (("\r",),))


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ("", "its columns must be image, seed, actual, predicted"),
        ("image,seed,actual\na,0,x\n", "its columns must be"),
        ("image,seed,actual,predicted\n", "it has 0 lines"),
        (TABLE[:-1], "its last line is cut off"),
        (TABLE + "c,9\n", "line 6 is not of an image, a seed and two classes"),
        (TABLE + "c,first,x,x\n", "line 6 is not of"),
        (TABLE + "a,9,x,y\n", "line 6 contradicts or repeats another one"),
        (TABLE + "a,8,y,y\n", "line 6 contradicts or repeats another one"),
        (TABLE + "a,8,x,y\n", "it has 5 lines for 2 images and 3 seeds"),
        (TABLE + 'a,8,x,"y\n', "unexpected end of data"),
    ],
)
def test_tables_that_are_not_whole_are_refused(table: str, reason: str) -> None:
    with pytest.raises(PipelineError) as caught:
        parse_predictions(table, "v1: fusion.csv")
    assert str(caught.value).startswith(f"v1: fusion.csv is no whole table of predictions ({reason}")


def test_every_cut_through_a_line_is_noticed() -> None:
    for end in range(len(TABLE)):
        if TABLE[end - 1 : end] != "\n":
            with pytest.raises(PipelineError):
                parse_predictions(TABLE[:end], "here")


def test_parameters_have_dotted_names_and_the_numbers_of_dvc() -> None:
    text = "head: {units: 256, dropout: 1e-05}\ntraining: {frozen: {epochs: 3}}\ncontrols: [a, b]\nempty: {}\n"
    assert parse_parameters(text, "here") == {
        "head.units": 256,
        "head.dropout": 0.00001,
        "training.frozen.epochs": 3,
        "controls": ["a", "b"],
        "empty": {},
    }


@pytest.mark.parametrize(
    ("text", "reason"), [("a: [", "is not valid YAML"), ("- a\n", "must be a mapping"), ("", "must")]
)
def test_parameters_that_are_none_are_refused(text: str, reason: str) -> None:
    with pytest.raises(PipelineError) as caught:
        parse_parameters(text, "v1: params.yaml")
    assert str(caught.value).startswith(f"v1: params.yaml {reason}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "Invalid JSON"),
        ("[]", "Input should be an object"),
        ('{"confidence": 0.95, "test": {"num_classes": 2}, "models": {}}', "models: Dictionary should have at least 1"),
        ('{"confidence": 0.95, "models": {}}', "test: Field required"),
        (
            '{"confidence": NaN, "test": {"num_classes": 2}, "models": {}}',
            "confidence: Input should be a finite number",
        ),
    ],
)
def test_statistics_that_are_none_are_refused(text: str, reason: str) -> None:
    with pytest.raises(PipelineError) as caught:
        parse_statistics(text, "v1: statistics.json")
    message = str(caught.value)
    assert message.startswith(f"v1: statistics.json holds no results that this program wrote ({reason}")
    assert "\n" not in message
