"""A reproducible comparison of fusion and sequential architectures for image classification."""

import os

# TensorFlow reads this when it is first imported, wherever that is: 2 leaves out its notes on the processor.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
