"""VGG16 and MobileNetV2 in PyTorch: images per second from uint8 pixels to stored features.

Runs in an environment of its own that holds only torch and numpy, and prints one JSON object: images per second by
batch size. Written out in `torch.nn`, as torchvision has them, with the feature layers alone.
"""

import argparse
import json
import os
import time

import numpy as np
import torch  # type: ignore[import-not-found]
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval  # type: ignore[import-not-found]

# Channels of the convolutions between two poolings.
_VGG16 = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
# Expansion, channels, blocks and stride of the first block, in the words of the MobileNetV2 publication, Table 2.
_MOBILENETV2 = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
# Where the project cuts: before the stages that it fine-tunes.
_VGG16_STAGES_BEFORE_CUT, _MOBILENETV2_STAGES_BEFORE_CUT = 4, 5


class Residual(nn.Module):  # type: ignore[misc]
    """An inverted residual block."""

    def __init__(self, channels: int, expansion: int, channels_out: int, stride: int) -> None:
        super().__init__()
        hidden = channels * expansion
        layers = [] if expansion == 1 else [_convolve(channels, hidden, 1)]
        layers += [_convolve(hidden, hidden, 3, stride, groups=hidden)]
        self.layers = nn.Sequential(
            *layers, nn.Conv2d(hidden, channels_out, 1, bias=False), nn.BatchNorm2d(channels_out)
        )
        self.adds = stride == 1 and channels == channels_out

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Expand, convolve each channel, project."""
        return x + self.layers(x) if self.adds else self.layers(x)


class Cut(nn.Module):  # type: ignore[misc]
    """A backbone with its preprocessing, from uint8 of shape (batch, height, width, 3)."""

    def __init__(self, prefix: nn.Sequential, tail: nn.Sequential, mean: list[float], scale: float) -> None:
        super().__init__()
        self.prefix, self.tail, self.scale = prefix, tail, scale
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1))

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Give the activations at the cut and the pooled features."""
        # A view: pixels that lie side by side are what channels_last means.
        pixels = images.permute(0, 3, 1, 2).float()
        cut = self.prefix((pixels - self.mean) * self.scale)
        return cut, self.tail(cut).mean((2, 3))


def build_vgg16() -> Cut:
    stages, channels = [], 3
    for widths in _VGG16:
        layers: list[nn.Module] = []
        for width in widths:
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(inplace=True)]
            channels = width
        stages.append(nn.Sequential(*layers, nn.MaxPool2d(2)))
    return _cut(stages, _VGG16_STAGES_BEFORE_CUT, [123.68, 116.779, 103.939], 1.0)


def build_mobilenetv2() -> Cut:
    stages, channels = [_convolve(3, 32, 3, 2)], 32
    for expansion, width, blocks, stride in _MOBILENETV2:
        layers = []
        for block in range(blocks):
            layers.append(Residual(channels, expansion, width, 1 if block else stride))
            channels = width
        stages.append(nn.Sequential(*layers))
    stages.append(_convolve(channels, 1280, 1))
    return _cut(stages, 1 + _MOBILENETV2_STAGES_BEFORE_CUT, [127.5] * 3, 1 / 127.5)


def _convolve(channels: int, channels_out: int, size: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    convolution = nn.Conv2d(channels, channels_out, size, stride, size // 2, groups=groups, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(channels_out), nn.ReLU6(inplace=True))


def _cut(stages: list[nn.Sequential], where: int, mean: list[float], scale: float) -> Cut:
    model: Cut = Cut(nn.Sequential(*stages[:where]), nn.Sequential(*stages[where:]), mean, scale)
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d):
            # Activations keep their size: numbers close to zero would be slow.
            nn.init.kaiming_normal_(layer.weight)
    model.eval()
    for layers in [layer for layer in model.modules() if isinstance(layer, nn.Sequential)]:
        _fuse(layers)
    model.to(memory_format=torch.channels_last)
    return model


def _fuse(layers: nn.Sequential) -> None:
    """Let convolutions do what the normalizations behind them did: MobileNetV2 takes little more than half the time."""
    for index in range(1, len(layers)):
        if isinstance(layers[index], nn.BatchNorm2d):
            layers[index - 1] = fuse_conv_bn_eval(layers[index - 1], layers[index])
            layers[index] = nn.Identity()


@torch.inference_mode()  # type: ignore[untyped-decorator]
def extract(model: Cut, images: torch.Tensor, batch_size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Store the activations at the cut and the pooled features of all images, in their order."""
    cut, pooled = model(images[:1])
    cuts, all_pooled = (torch.empty((len(images), *values.shape[1:])) for values in (cut, pooled))
    cuts = cuts.to(memory_format=torch.channels_last)
    for start in range(0, len(images), batch_size):
        rows = slice(start, start + batch_size)
        cuts[rows], all_pooled[rows] = model(images[rows])
    return cuts, all_pooled


def main() -> None:
    """Time both backbones one after the other, once for each batch size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("image_size", type=int)
    parser.add_argument("num_images", type=int)
    parser.add_argument("batch_sizes", type=int, nargs="+")
    arguments = parser.parse_args()
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    rng = np.random.default_rng(0)
    shape = (arguments.num_images, arguments.image_size, arguments.image_size, 3)
    images = torch.from_numpy(rng.integers(0, 256, shape, dtype=np.uint8))
    models = [build_mobilenetv2(), build_vgg16()]
    rates = {}
    for batch_size in arguments.batch_sizes:
        for model in models:
            extract(model, images[:batch_size], batch_size)
        start = time.perf_counter()
        for model in models:
            extract(model, images, batch_size)
        rates[batch_size] = arguments.num_images / (time.perf_counter() - start)
    print(json.dumps(rates))


if __name__ == "__main__":
    main()
