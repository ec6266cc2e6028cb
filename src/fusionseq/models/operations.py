"""Floating-point operations of a model, counted from its layers.

A multiplication and the addition that follows it are two operations. Convolutions and dense layers are counted, less
their biases; beside them, everything else is little.
"""

import math

import keras


def count_operations(model: keras.Model) -> int:
    """Count the operations that one image takes on its way through a model, and through models that are its layers."""
    return sum(count_operations(layer) if isinstance(layer, keras.Model) else _count(layer) for layer in model.layers)


def count_backward(model: keras.Model) -> int:
    """Count the operations of one backward pass for one image.

    A layer is gone through once for the gradient of its weights, where they are trainable, and once for the gradient
    of its input, where something before it is.
    """
    return _count_backward(model, set())


def _count_backward(model: keras.Model, behind_trained: set[int]) -> int:
    """Count on from the inputs of a model that lie behind something trained."""
    total = 0
    # In the order of the computation, so that what comes before a layer is known when it is reached.
    for operation in model.operations:
        is_trained = bool(getattr(operation, "trainable_variables", ()))
        # Of a model that was cut from another, these are the other's: what lies before the cut is not among the
        # operations of the model, and so is never found to be trained.
        # The `input` of a model is what it begins with inside.
        sources = [tensor._keras_history.operation for tensor in operation._inbound_nodes[0].input_tensors]
        needs_input_gradient = any(id(source) in behind_trained for source in sources)
        if isinstance(operation, keras.Model):
            # A Sequential does not list its operations.
            inner = keras.Model(operation.inputs, operation.outputs)
            inputs = {id(tensor._keras_history.operation) for tensor in inner.inputs}
            total += _count_backward(inner, inputs if needs_input_gradient else set())
        else:
            total += _count(operation) * (is_trained + needs_input_gradient)
        if is_trained or needs_input_gradient:
            behind_trained.add(id(operation))
    return total


def _count(operation: keras.Operation) -> int:
    if isinstance(operation, keras.layers.Dense | keras.layers.Conv2D | keras.layers.DepthwiseConv2D):
        # A kernel is applied at every position of the output; a vector has one.
        return int(2 * math.prod(operation.output.shape[1:-1]) * math.prod(operation.kernel.shape))
    return 0
