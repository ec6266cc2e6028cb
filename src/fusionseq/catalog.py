"""The backbones that can be named in params.yaml, and where each may be cut. No TensorFlow is needed to read it.

A cut is named by the first layer that fine-tuning trains. It is clean where a single tensor enters that layer and
everything after it, so that the frozen layers before it see each image once. Everything behind that tensor is trained
but BatchNormalization, the layer itself included: a BatchNormalization may name a cut, or one of two parallel layers.
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
        "tf" scales RGB to [-1, 1]; "caffe" turns RGB into BGR and subtracts the ImageNet mean of each channel; "torch"
        scales RGB to [0, 1], subtracts that mean and divides by the standard deviation of each channel; "inside" leaves
        it to layers that the builder adds itself.
    stride
        Side of the input over side of the feature maps; an image must not be smaller.
    layer_prefix
        What the names of its layers begin with here, and in `keras.applications` do not: names must differ within a
        model, and two backbones may use the same ones.
    clean_cuts
        Layers that may be the first trained one, in forward order.
    default_cut
        The one of them that is usual: about the last block, or the last stage, is trained.
    is_embedded
        Whether weights of it ship with the repository.
    imagenet_file
        Weights without the classification layers, below the address of `keras.applications`.
    imagenet_md5
        Digest that Keras's own source gives for it; None where it gives none, or one of another kind.
    """

    title: str
    application: str
    preprocessing: Literal["tf", "caffe", "torch", "inside"]
    stride: int
    layer_prefix: str
    clean_cuts: tuple[str, ...]
    default_cut: str
    is_embedded: bool
    imagenet_file: str
    imagenet_md5: str | None


BACKBONES: dict[str, Backbone] = {
    "mobilenetv2": Backbone(
        title="MobileNetV2",
        application="MobileNetV2",
        preprocessing="tf",
        stride=32,
        layer_prefix="",
        clean_cuts=(*(f"block_{block}_expand" for block in range(1, 17)), "Conv_1"),
        default_cut="block_13_expand",
        is_embedded=True,
        imagenet_file="mobilenet_v2/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5",
        imagenet_md5=None,
    ),
    "vgg16": Backbone(
        title="VGG16",
        application="VGG16",
        preprocessing="caffe",
        stride=32,
        layer_prefix="",
        clean_cuts=tuple(
            f"block{block}_conv{convolution}"
            for block, num_convolutions in enumerate((2, 2, 3, 3, 3), start=1)
            for convolution in range(1, num_convolutions + 1)
        )[1:],
        default_cut="block5_conv1",
        is_embedded=True,
        imagenet_file="vgg16/vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",
        imagenet_md5="6d6bbae143d832006294945121d1f1fc",
    ),
    "efficientnetv2b0": Backbone(
        title="EfficientNetV2B0",
        application="EfficientNetV2B0",
        preprocessing="inside",
        stride=32,
        layer_prefix="",
        clean_cuts=(
            "block1a_project_conv",
            *(
                f"block{stage}{block}_expand_conv"
                for stage, blocks in enumerate(("ab", "ab", "abc", "abcde", "abcdefgh"), start=2)
                for block in blocks
            ),
            "top_conv",
        ),
        default_cut="block6a_expand_conv",
        is_embedded=False,
        imagenet_file="efficientnet_v2/efficientnetv2-b0_notop.h5",
        imagenet_md5="893217f2bb855e2983157299931e43ff",
    ),
    "resnet50": Backbone(
        title="ResNet50",
        application="ResNet50",
        preprocessing="caffe",
        stride=32,
        layer_prefix="",
        clean_cuts=tuple(
            f"conv{stage}_block{block}_1_conv"
            for stage, num_blocks in enumerate((3, 4, 6, 3), start=2)
            for block in range(1, num_blocks + 1)
        ),
        default_cut="conv5_block1_1_conv",
        is_embedded=False,
        imagenet_file="resnet/resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5",
        imagenet_md5="4d473c1dd8becc155b73f8504c6f6626",
    ),
    "densenet121": Backbone(
        title="DenseNet121",
        application="DenseNet121",
        preprocessing="torch",
        stride=32,
        # ResNet50 has a conv1_conv, too, and 70 more.
        layer_prefix="densenet121_",
        clean_cuts=tuple(
            f"densenet121_{layer}"
            for stage, num_blocks in enumerate((6, 12, 24, 16), start=2)
            for layer in (
                *(f"conv{stage}_block{block}_0_bn" for block in range(1, num_blocks + 1)),
                *((f"pool{stage}_conv",) if stage < 5 else ()),
            )
        ),
        default_cut="densenet121_conv5_block1_0_bn",
        is_embedded=False,
        imagenet_file="densenet/densenet121_weights_tf_dim_ordering_tf_kernels_notop.h5",
        imagenet_md5="30ee3e1110167f948a6b9946edeeb738",
    ),
    "convnexttiny": Backbone(
        title="ConvNeXtTiny",
        application="ConvNeXtTiny",
        preprocessing="inside",
        stride=32,
        layer_prefix="",
        clean_cuts=tuple(
            layer
            for stage, num_blocks in enumerate((3, 3, 9, 3))
            for layer in (
                *((f"convnext_tiny_downsampling_block_{stage - 1}",) if stage > 0 else ()),
                *(f"convnext_tiny_stage_{stage}_block_{block}_depthwise_conv" for block in range(num_blocks)),
            )
        ),
        default_cut="convnext_tiny_stage_3_block_0_depthwise_conv",
        is_embedded=False,
        imagenet_file="convnext/convnext_tiny_notop.h5",
        imagenet_md5=None,
    ),
}
