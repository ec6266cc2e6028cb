"""A reproducible comparison of fusion and sequential architectures for image classification."""

import os

# TensorFlow reads this when it is first imported, wherever that is: 2 leaves out its notes on the processor.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# What follows is not for a user to set: results are to be the same bytes on every x86 processor. For AVX-512 alone,
# NumPy has exponentials and logarithms that round in another way.
os.environ["NPY_DISABLE_CPU_FEATURES"] = "X86_V4 AVX512_ICL AVX512_SPR"
# Without AVX-512, TensorFlow would leave out oneDNN; its other kernels give an image other last bits by its place in
# a batch.
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1"
