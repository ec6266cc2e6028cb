"""A reproducible comparison of fusion and sequential architectures for image classification."""
