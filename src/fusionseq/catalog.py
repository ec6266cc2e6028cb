"""The backbones that can be named in params.yaml, and where each may be cut. No TensorFlow is needed to read it.

A cut is named by the first layer that fine-tuning trains. It is clean where a single tensor enters that layer and
everything after it, so that the frozen layers before it see each image once.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Backbone:
    """What must be known of a backbone before it is built.

    Attributes
    ----------
    title
        Its name in prose.
    application
        Name of its builder in `keras.applications`.
    preprocessing
        "tf" scales RGB to [-1, 1]; "caffe" turns RGB into BGR and subtracts the ImageNet mean of each channel.
    stride
        Side of the input over side of the feature maps; an image must not be smaller.
    clean_cuts
        Layers that may be the first trained one, in forward order.
    imagenet_file
        Weights without the classification layers, below the address of `keras.applications`.
    imagenet_md5
        Digest that Keras's own source gives for it; None where it gives none.
    """

    title: str
    application: str
    preprocessing: Literal["tf", "caffe"]
    stride: int
    clean_cuts: tuple[str, ...]
    imagenet_file: str
    imagenet_md5: str | None


BACKBONES: dict[str, Backbone] = {
    "mobilenetv2": Backbone(
        title="MobileNetV2",
        application="MobileNetV2",
        preprocessing="tf",
        stride=32,
        clean_cuts=(*(f"block_{block}_expand" for block in range(1, 17)), "Conv_1"),
        imagenet_file="mobilenet_v2/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5",
        imagenet_md5=None,
    ),
    "vgg16": Backbone(
        title="VGG16",
        application="VGG16",
        preprocessing="caffe",
        stride=32,
        clean_cuts=tuple(
            f"block{block}_conv{convolution}"
            for block, num_convolutions in enumerate((2, 2, 3, 3, 3), start=1)
            for convolution in range(1, num_convolutions + 1)
        )[1:],
        imagenet_file="vgg16/vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",
        imagenet_md5="6d6bbae143d832006294945121d1f1fc",
    ),
}
