"""The architectures, one function each, in Keras alone so that they run on every Keras backend."""
