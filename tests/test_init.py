import json
import os
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import json, fusionseq, numpy as np
kernels = np.lib.introspect.opt_func_info()
print(json.dumps([of["current"] for by_dtype in kernels.values() for of in by_dtype.values()]))
"""


def test_numpy_computes_with_no_kernel_for_avx_512() -> None:
    # A process of its own, as a stage is: NumPy chooses its kernels when it is first imported.
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1] / "src")}
    environment.pop("NPY_DISABLE_CPU_FEATURES", None)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM], env=environment, check=True, capture_output=True, text=True
    )
    kernels = json.loads(done.stdout)
    assert len(kernels) > 100
    assert not [kernel for kernel in kernels if "V4" in kernel or "AVX512" in kernel]
