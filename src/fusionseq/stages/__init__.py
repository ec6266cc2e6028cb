"""The stages of the pipeline: each module reads, calls the library, writes, and logs one line."""
