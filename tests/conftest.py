import pytest

from fusionseq.runtime import configure_runtime


@pytest.fixture(scope="session", autouse=True)
def _deterministic_runtime() -> None:
    # Before anything is computed: afterwards TensorFlow no longer lets the number of threads be set.
    configure_runtime(2)
