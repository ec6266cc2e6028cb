"""A dataset in shards: few enough images that one is soon done again, enough that files stay few."""

from dataclasses import dataclass

# Images of one shard, whoever computes it: part of what the bytes on disk are. A multiple of
# `fusionseq.forward.BATCH_SIZE`, so that no batch but the last is filled up.
SHARD_SIZE = 480


@dataclass(frozen=True)
class Shard:
    """One shard, as little of it as another process needs to find it.

    Attributes
    ----------
    name
        Of its files, without what they end in; in the order of the dataset.
    num_images
        How many images it is made of.
    position
        Where its rows begin in the table that it is read from, in bytes.
    """

    name: str
    num_images: int
    position: int = 0


def name_shard(number: int) -> str:
    """Name the shard of this number, from 0: names sort as numbers do."""
    return f"{number:06d}"
