import pickle

from fusionseq.forward import BATCH_SIZE
from fusionseq.shards import SHARD_SIZE, Shard, name_shard


def test_names_sort_as_numbers_do() -> None:
    numbers = [0, 1, 2, 9, 10, 11, 99, 100, 101, 1999, 20_000, 999_999]
    names = [name_shard(number) for number in numbers]
    assert sorted(names) == names
    assert [int(name) for name in names] == numbers


def test_no_batch_but_the_last_of_a_dataset_is_filled_up() -> None:
    assert SHARD_SIZE % BATCH_SIZE == 0


def test_a_shard_can_be_sent_to_another_process() -> None:
    shard = Shard("000007", 480, 123_456_789_012)
    assert pickle.loads(pickle.dumps(shard)) == shard  # noqa: S301
