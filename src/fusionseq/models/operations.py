"""Floating-point operations of a model, counted from its layers.

A multiplication and the addition that follows it are two operations. Convolutions and dense layers are counted, less
their biases; beside them, everything else is little.
"""

import math

import keras


def count_operations(model: keras.Model) -> int:
    """Count the operations that one image takes on its way through a model."""
    return sum(_count(layer) for layer in model.layers)


def count_backward(model: keras.Model) -> int:
    """Count the operations of one backward pass for one image.

    A layer is gone through once for the gradient of its weights, where they are trainable, and once for the gradient
    of its input, where something before it is.
    """
    total = 0
    behind_trained: set[int] = set()
    # In the order of the computation, so that what comes before a layer is known when it is reached.
    for operation in model.operations:
        is_trained = bool(getattr(operation, "trainable_variables", ()))
        # Of a model that was cut from another, these are the other's: what lies before the cut is not among the
        # operations of the model, and so is never found to be trained.
        sources = [tensor._keras_history.operation for tensor in keras.tree.flatten(operation.input)]
        needs_input_gradient = any(id(source) in behind_trained for source in sources)
        total += _count(operation) * (is_trained + needs_input_gradient)
        if is_trained or needs_input_gradient:
            behind_trained.add(id(operation))
    return total


def _count(operation: keras.Operation) -> int:
    if isinstance(operation, keras.layers.Dense):
        return int(2 * math.prod(operation.kernel.shape))
    if isinstance(operation, keras.layers.Conv2D | keras.layers.DepthwiseConv2D):
        _, height, width, _ = operation.output.shape
        # A kernel is applied at every position of the output.
        return int(2 * height * width * math.prod(operation.kernel.shape))
    return 0
