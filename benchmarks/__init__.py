"""What `make bench` runs, and the rivals it runs against."""

# Before TensorFlow, whose kernels it settles.
import fusionseq  # noqa: F401
