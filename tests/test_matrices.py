from fusionseq.page.matrices import MAX_CONFUSIONS, NUM_LEVELS, Confusion, list_confusions, shade_matrix


def test_one_error_in_a_hundred_is_seen() -> None:
    (row, *_) = shade_matrix([[99, 1], [0, 0]])
    assert [cell.count for cell in row] == [99, 1]
    assert [cell.level for cell in row] == [NUM_LEVELS, 1]


def test_a_class_without_images_has_no_shade() -> None:
    assert [cell.level for cell in shade_matrix([[1, 0], [0, 0]])[1]] == [0, 0]


def test_shades_grow_with_the_share() -> None:
    counts = [0, 1, 4, 16, 64, 256]
    levels = [cell.level for cell in shade_matrix([counts])[0]]
    assert levels == sorted(levels)
    assert levels[0] == 0


def test_the_most_frequent_confusions_come_first() -> None:
    found = list_confusions([[8, 2, 0], [0, 10, 0], [2, 3, 5]], ["a", "b", "c"])
    assert found == [Confusion("c", "b", 3, 0.3), Confusion("a", "b", 2, 0.2), Confusion("c", "a", 2, 0.2)]


def test_no_more_confusions_are_listed_than_are_read() -> None:
    number = 200
    found = list_confusions([[1] * number for _ in range(number)], [str(place) for place in range(number)])
    assert len(found) == MAX_CONFUSIONS


def test_who_makes_no_errors_confuses_nothing() -> None:
    assert list_confusions([[3, 0], [0, 3]], ["a", "b"]) == []
