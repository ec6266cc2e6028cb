"""Image files as they are in the wild, each written here byte by byte or by Pillow."""

import os
import re
import struct
import subprocess
import sys
import warnings
import zlib
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from fusionseq.decoding import decode_image
from fusionseq.errors import BadImageError
from fusionseq.parallel import map_on_cores

RNG = np.random.default_rng(0)
# Higher than wide, without any symmetry, and smooth enough for JPEG.
PIXELS = np.kron(RNG.integers(0, 256, (4, 3, 3)), np.ones((8, 8, 1), dtype=np.int64)).astype(np.uint8)
RGB = Image.fromarray(PIXELS)
OTHER = Image.fromarray(255 - PIXELS)
GREY = PIXELS[..., 0]
ALPHA = PIXELS[..., 1]
LEVELS = RNG.integers(0, 65536, (5, 4)).astype(np.uint16)
FLOATS = np.array([[-1.0, 0.0, 1.0], [np.nan, np.inf, -np.inf]], dtype=np.float32)
LIMIT = 89_478_485


def encode(image: Image.Image, image_format: str, **options: Any) -> bytes:
    content = BytesIO()
    # An image remembers how it was saved last.
    image.copy().save(content, image_format, **options)
    return content.getvalue()


def write_png(shape: tuple[int, int], bits: int, colour: int, samples: bytes, **chunks: bytes) -> bytes:
    """Write a PNG file with more chunks in front of the pixels; `colour` is its own code of a colour type."""
    height, width = shape
    row = len(samples) // max(height, 1)
    lines = b"".join(b"\0" + samples[start : start + row] for start in range(0, len(samples), max(row, 1)))
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    parts = {"IHDR": header, **chunks, "IDAT": zlib.compress(lines), "IEND": b""}
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind.encode() + data + struct.pack(">I", zlib.crc32(kind.encode() + data))
        for kind, data in parts.items()
    )


def write_tiff(
    shape: tuple[int, int], bits: Sequence[int], photometric: int, samples: bytes, tags: dict[int, Sequence[int]]
) -> bytes:
    """Write a little-endian TIFF file of one strip, all of whose tags are 16-bit integers."""
    height, width = shape
    own = {256: [width], 257: [height], 258: bits, 259: [1], 262: [photometric], 273: [8], 277: [len(bits)]}
    heap, entries = samples, b""
    for tag, values in sorted((own | {278: [height], 279: [len(samples)]} | tags).items()):
        packed = struct.pack(f"<{len(values)}H", *values)
        if len(packed) > 4:
            packed, heap = struct.pack("<I", 8 + len(heap)), heap + packed
        entries += struct.pack("<HHI4s", tag, 3, len(values), packed)
    directory = struct.pack("<H", len(entries) // 12) + entries + bytes(4)
    return b"II*\0" + struct.pack("<I", 8 + len(heap)) + heap + directory


def turn(orientation: int) -> bytes:
    """EXIF that says how to turn the picture, among other things."""
    exif = Image.Exif()
    exif[271], exif[274], exif[282], exif[296] = "a camera", orientation, 72.0, 2
    return exif.tobytes()


def damage_exif(content: bytes) -> bytes:
    """Make the resolution in EXIF a single byte, which trips Pillow's JPEG plugin over."""
    start = content.index(struct.pack(">HHI", 282, 5, 1))
    damaged = content[: start + 2] + struct.pack(">H", 1) + content[start + 4 :]
    if damaged.startswith(b"\x89PNG"):
        chunk = damaged.index(b"eXIf")
        end = chunk + 4 + struct.unpack_from(">I", damaged, chunk - 4)[0]
        damaged = damaged[:end] + struct.pack(">I", zlib.crc32(damaged[chunk:end])) + damaged[end + 4 :]
    return damaged


def read_as_ycck(cmyk: Sequence[int]) -> bytes:
    """Write a CMYK JPEG file, and say that it holds the luminance and colour differences of CMY."""
    content = bytearray(encode(Image.new("CMYK", (8, 8), tuple(cmyk)), "JPEG", quality=100))
    content[content.index(b"Adobe") + 11] = 2
    return bytes(content)


def palette(colours: Sequence[Sequence[int]]) -> Image.Image:
    """All of the colours, next to each other."""
    image = Image.new("P", (len(colours), 1))
    image.putpalette(np.array(colours, dtype=np.uint8).tobytes())
    image.putdata(range(len(colours)))
    return image


def on_white(colour: ArrayLike, alpha: ArrayLike) -> NDArray[np.uint8]:
    share = np.asarray(alpha)[..., None] / 255
    return np.asarray(np.rint(share * np.asarray(colour) + (1 - share) * 255), dtype=np.uint8)


def grey(levels: ArrayLike) -> NDArray[np.uint8]:
    return np.repeat(np.asarray(levels, dtype=np.uint8)[..., None], 3, axis=-1)


def stretch(levels: ArrayLike) -> NDArray[np.uint8]:
    values = np.asarray(levels, dtype=np.float64)
    return grey(np.rint((values - values.min()) / (values.max() - values.min()) * 255))


def flat(*colour: int) -> NDArray[np.uint8]:
    return np.full((8, 8, 3), colour, dtype=np.uint8)


def merge(*bands: NDArray[np.uint8]) -> Image.Image:
    return Image.fromarray(np.dstack(bands))


COLOURS = [(10, 20, 30), (200, 100, 0), (0, 0, 255)]
FRAMES: dict[str, Any] = {"save_all": True, "append_images": [OTHER]}
EXACT: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 100, "subsampling": 0},
    "AVIF": {"quality": 100, "subsampling": "4:4:4"},
    "WEBP": {"lossless": True},
}
MPO = encode(RGB, "MPO", save_all=True, append_images=[OTHER.copy()], **EXACT["JPEG"])
INTS = np.array([[-(2**31), 0, 2**31 - 1]], dtype=np.int32)

# What is decoded, and to which pixels, to within how much.
GOOD: dict[str, tuple[bytes, NDArray[np.uint8], int]] = {
    # JPEG
    "jpeg": (encode(RGB, "JPEG", **EXACT["JPEG"]), PIXELS, 3),
    "jpeg, progressive": (encode(RGB, "JPEG", **EXACT["JPEG"], progressive=True), PIXELS, 3),
    "jpeg, grey": (encode(Image.fromarray(GREY), "JPEG", quality=100), grey(GREY), 3),
    "jpeg, inverted CMYK as Adobe's": (
        encode(Image.new("CMYK", (8, 8), (0, 255, 128, 51)), "JPEG", quality=100),
        flat(204, 0, 102),
        3,
    ),
    "jpeg, YCCK as Adobe's": (read_as_ycck((135, 165, 55, 0)), flat(34, 173, 202), 3),
    "jpeg, with a profile that is none": (encode(RGB, "JPEG", **EXACT["JPEG"], icc_profile=b"?"), PIXELS, 3),
    "jpeg, followed by something": (encode(RGB, "JPEG", **EXACT["JPEG"]) + b"more", PIXELS, 3),
    "jpeg, no EXIF in its place": (
        encode(RGB, "JPEG", **EXACT["JPEG"], exif=b"Exif\0\0no EXIF"),
        PIXELS,
        3,
    ),
    "jpeg, EXIF cut off": (encode(RGB, "JPEG", **EXACT["JPEG"], exif=turn(1)[:40]), PIXELS, 3),
    "mpo": (MPO, PIXELS, 3),
    "mpo, index damaged": (MPO.replace(b"MPF\0II", b"MPF\0XX"), PIXELS, 3),
    # PNG
    "png": (encode(RGB, "PNG"), PIXELS, 0),
    "png, 1 bit": (encode(Image.fromarray(GREY > 127), "PNG"), grey((GREY > 127) * 255), 0),
    "png, 2 bits": (write_png((1, 4), 2, 0, b"\x1b"), grey([[0, 85, 170, 255]]), 0),
    "png, grey": (encode(Image.fromarray(GREY), "PNG"), grey(GREY), 0),
    "png, grey and alpha": (encode(merge(GREY, ALPHA), "PNG"), on_white(grey(GREY), ALPHA), 1),
    "png, colours and alpha": (encode(merge(*np.moveaxis(PIXELS, 2, 0), ALPHA), "PNG"), on_white(PIXELS, ALPHA), 1),
    "png, palette": (encode(palette(COLOURS), "PNG"), np.array([COLOURS], dtype=np.uint8), 0),
    "png, palette with a transparent colour": (
        encode(palette(COLOURS), "PNG", transparency=1),
        np.array([[COLOURS[0], (255, 255, 255), COLOURS[2]]], dtype=np.uint8),
        0,
    ),
    "png, palette with alpha": (
        encode(palette(COLOURS), "PNG", transparency=b"\0\x80\xff"),
        on_white([COLOURS], [[0, 128, 255]]),
        1,
    ),
    "png, a transparent grey": (
        encode(Image.fromarray(np.array([[7, 8]], dtype=np.uint8)), "PNG", transparency=7),
        grey([[255, 8]]),
        0,
    ),
    "png, a transparent colour": (
        encode(Image.fromarray(np.array([COLOURS], dtype=np.uint8)), "PNG", transparency=COLOURS[2]),
        np.array([[*COLOURS[:2], (255, 255, 255)]], dtype=np.uint8),
        0,
    ),
    "png, 16-bit grey": (encode(Image.fromarray(LEVELS), "PNG"), grey(LEVELS >> 8), 0),
    "png, 16-bit black and white": (
        encode(Image.fromarray(np.array([[0, 65535]], dtype=np.uint16)), "PNG"),
        grey([[0, 255]]),
        0,
    ),
    "png, a transparent 16-bit grey": (
        write_png((1, 3), 16, 0, struct.pack(">3H", 770, 771, 65535), tRNS=struct.pack(">H", 770)),
        grey([[255, 3, 255]]),
        0,
    ),
    "png, 16-bit colours": (
        write_png((5, 4), 16, 2, LEVELS.astype(">u2").repeat(3).tobytes()),
        grey(LEVELS >> 8),
        0,
    ),
    "png, 16-bit grey and alpha": (
        write_png((1, 2), 16, 4, struct.pack(">4H", 0, 0, 0, 65535)),
        grey([[255, 0]]),
        0,
    ),
    "png, no EXIF in its place": (encode(RGB, "PNG", exif=b"Exif\0\0no EXIF"), PIXELS, 0),
    "png, animated": (encode(RGB, "PNG", **FRAMES), PIXELS, 0),
    "png, animated by no frame": (write_png((1, 1), 8, 0, b"\7", acTL=bytes(8)), grey([[7]]), 0),
    "png, without an end": (encode(RGB, "PNG")[:-12], PIXELS, 0),
    # GIF
    "gif": (encode(palette(COLOURS), "GIF"), np.array([COLOURS], dtype=np.uint8), 0),
    "gif, grey": (encode(Image.fromarray(GREY), "GIF"), grey(GREY), 0),
    "gif, transparent": (
        encode(palette(COLOURS), "GIF", transparency=0),
        np.array([[(255, 255, 255), *COLOURS[1:]]], dtype=np.uint8),
        0,
    ),
    "gif, animated": (
        encode(palette(COLOURS), "GIF", save_all=True, append_images=[palette(COLOURS[::-1])]),
        np.array([COLOURS], dtype=np.uint8),
        0,
    ),
    # WebP
    "webp": (encode(RGB, "WEBP", quality=100), PIXELS, 90),
    "webp, exact": (encode(RGB, "WEBP", **EXACT["WEBP"]), PIXELS, 0),
    "webp, alpha": (
        encode(merge(*np.moveaxis(PIXELS, 2, 0), ALPHA), "WEBP", **EXACT["WEBP"], exact=True),
        on_white(PIXELS, ALPHA),
        1,
    ),
    "webp, no EXIF in its place": (encode(RGB, "WEBP", exif=b"?", **EXACT["WEBP"]), PIXELS, 0),
    "webp, animated": (encode(RGB, "WEBP", **EXACT["WEBP"], **FRAMES), PIXELS, 0),
    # BMP
    "bmp": (encode(RGB, "BMP"), PIXELS, 0),
    "bmp, palette": (encode(palette(COLOURS), "BMP"), np.array([COLOURS], dtype=np.uint8), 0),
    "bmp, 1 bit": (encode(Image.fromarray(GREY > 127), "BMP"), grey((GREY > 127) * 255), 0),
    # The fourth byte has no meaning there.
    "bmp, 32 bits": (encode(merge(*np.moveaxis(PIXELS, 2, 0), ALPHA), "BMP"), PIXELS, 0),
    # TIFF
    "tiff": (encode(RGB, "TIFF"), PIXELS, 0),
    "tiff, LZW": (encode(RGB, "TIFF", compression="tiff_lzw"), PIXELS, 0),
    "tiff, JPEG in it": (encode(RGB, "TIFF", compression="jpeg", quality=100), PIXELS, 90),
    "tiff, as faxes": (
        encode(Image.fromarray(GREY > 127), "TIFF", compression="group4"),
        grey((GREY > 127) * 255),
        0,
    ),
    "tiff, several pages": (encode(RGB, "TIFF", **FRAMES), PIXELS, 0),
    "tiff, two values where one is due": (
        write_tiff((1, 1), [8], 1, b"\7", {296: [2, 2]}),
        grey([[7]]),
        0,
    ),
    "tiff, EXIF behind its end": (write_tiff((1, 1), [8], 1, b"\7", {34665: [60_000]}), grey([[7]]), 0),
    "tiff, CMYK": (encode(Image.new("CMYK", (8, 8), (0, 255, 128, 51)), "TIFF"), flat(204, 0, 102), 1),
    "tiff, YCbCr": (write_tiff((8, 8), [8] * 3, 6, bytes((120, 90, 200)) * 64, {}), flat(221, 82, 53), 2),
    # Red as sRGB means it, seen in the light of CIELAB files.
    "tiff, CIELAB": (write_tiff((8, 8), [8] * 3, 8, bytes((138, 81, 70)) * 64, {}), flat(255, 0, 0), 6),
    "tiff, palette and alpha": (
        encode(Image.merge("PA", (palette(COLOURS), Image.new("L", (3, 1), 102))), "TIFF"),
        on_white([COLOURS], [[102] * 3]),
        1,
    ),
    "tiff, grey multiplied by its alpha": (
        write_tiff((1, 3), [8, 8], 1, bytes((0, 0, 40, 80, 200, 255)), {338: [1]}),
        grey([[255, 215, 200]]),
        1,
    ),
    "tiff, 12-bit grey": (write_tiff((1, 2), [12], 1, b"\xff\xf0\x10", {}), grey([[255, 1]]), 0),
    "tiff, 16-bit grey": (encode(Image.fromarray(LEVELS), "TIFF"), grey(LEVELS >> 8), 0),
    "tiff, big-endian 16-bit grey": (
        encode(Image.frombytes("I;16B", (4, 5), LEVELS.astype(">u2").tobytes()), "TIFF"),
        grey(LEVELS >> 8),
        0,
    ),
    "tiff, 16-bit grey whose white is zero": (
        write_tiff((5, 4), [16], 0, LEVELS.astype("<u2").tobytes(), {}),
        grey(255 - (LEVELS >> 8)),
        0,
    ),
    "tiff, signed 16-bit grey": (
        write_tiff((5, 4), [16], 1, LEVELS.astype("<u2").tobytes(), {339: [2]}),
        stretch(LEVELS.astype(np.int16)),
        0,
    ),
    "tiff, 32-bit integers": (encode(Image.fromarray(INTS), "TIFF"), grey([[0, 128, 255]]), 0),
    "tiff, floats": (encode(Image.fromarray(LEVELS.astype(np.float32) / 7), "TIFF"), stretch(LEVELS), 0),
    "tiff, floats that are none": (encode(Image.fromarray(FLOATS), "TIFF"), grey([[0, 128, 255], [0, 255, 0]]), 0),
    "tiff, one float": (encode(Image.new("F", (2, 2), 0.5), "TIFF"), grey(np.zeros((2, 2))), 0),
    # Others
    "pbm as text": (b"P1 # a comment\n2 1\n1 0", grey([[0, 255]]), 0),
    "pgm of few levels": (b"P5 2 1 3\n\0\3", grey([[0, 255]]), 0),
    "pgm of many levels": (b"P5 2 1 1023\n\0\0\3\xff", grey([[0, 255]]), 0),
    "ppm": (encode(RGB, "PPM"), PIXELS, 0),
    "pfm": (encode(Image.fromarray(np.array([[-3, -1]], dtype=np.float32)), "PPM"), grey([[0, 255]]), 0),
    "jpeg 2000": (encode(RGB, "JPEG2000"), PIXELS, 0),
    "jpeg 2000, 16-bit grey": (encode(Image.fromarray(LEVELS), "JPEG2000"), grey(LEVELS >> 8), 0),
    "avif": (encode(RGB, "AVIF", **EXACT["AVIF"]), PIXELS, 4),
    "avif, animated": (encode(RGB, "AVIF", **EXACT["AVIF"], **FRAMES), PIXELS, 4),
}

PNG = encode(RGB, "PNG")
JPEG = encode(RGB, "JPEG")


def declare(width: int, height: int) -> bytes:
    """A PNG file that ends before its pixels would."""
    return write_png((height, width), 8, 2, b"")


# What is refused, and with which reason.
BAD: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "empty file"),
    "text": (b"not an image", "unknown format"),
    "zeros": (bytes(5000), "unknown format"),
    "a web page": (b"<!DOCTYPE html><html><body>404</body></html>", "unknown format"),
    "vectors": (b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>', "unknown format"),
    "EPS, for Ghostscript": (encode(RGB, "EPS"), "unknown format"),
    "PDF": (encode(RGB, "PDF"), "unknown format"),
    "WMF": (b"\xd7\xcd\xc6\x9a" + bytes(100), "unknown format"),
    "ICO": (encode(RGB, "ICO", sizes=[(16, 16)]), "unknown format"),
    "TGA, which has no signature": (encode(RGB, "TGA"), "unknown format"),
    "DIB, which has none either": (encode(RGB, "DIB"), "unknown format"),
    "HEIC": (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100), "unknown format"),
    "PNG, signature alone": (PNG[:8], "damaged or unsupported PNG"),
    "JPEG, signature alone": (JPEG[:4], "damaged or unsupported JPEG"),
    "GIF, signature alone": (b"GIF89a", "damaged or unsupported GIF"),
    "PNG, no pixels wide": (declare(0, 4), "damaged or unsupported PNG"),
    "JPEG, no pixels high": (
        re.sub(rb"(\xff\xc0\0\x11\x08)..", rb"\1\0\0", JPEG, flags=re.DOTALL),
        "damaged or unsupported JPEG",
    ),
    "GIF, no pixels": (b"GIF89a" + bytes(7) + b"," + bytes(9) + b"\2\0;", "damaged or unsupported GIF"),
    "BMP, no pixels": (encode(RGB, "BMP")[:18] + bytes(8) + encode(RGB, "BMP")[26:], "damaged or unsupported BMP"),
    "PPM, no pixels": (b"P6 0 0 255\n", "damaged or unsupported PPM"),
    "PNG, at the limit, all but empty": (declare(9000, LIMIT // 9000), r"damaged or unsupported PNG: .* truncated .*"),
    "PNG, a row above the limit": (declare(9000, LIMIT // 9000 + 1), f"decompression bomb: more than {LIMIT} pixels"),
    "PNG, twice the limit": (declare(30_000, 30_000), f"decompression bomb: more than {LIMIT} pixels"),
    "BMP, twice the limit": (
        encode(RGB, "BMP")[:18] + struct.pack("<II", 30_000, 30_000) + encode(RGB, "BMP")[26:],
        f"decompression bomb: more than {LIMIT} pixels",
    ),
    "GIF, frame larger than the limit": (
        b"GIF89a" + bytes(7) + b"," + struct.pack("<HHHH", 0, 0, 10_000, 10_000) + b"\0\2\0;",
        f"decompression bomb: more than {LIMIT} pixels",
    ),
    "TIFF, larger than the limit": (
        write_tiff((10_000, 10_000), [8], 1, b"\0", {}),
        f"decompression bomb: more than {LIMIT} pixels",
    ),
    "PNG, a byte of its pixels changed": (
        PNG[:60] + bytes((PNG[60] ^ 255,)) + PNG[61:],
        "damaged or unsupported PNG: broken data stream when reading image file",
    ),
    "PNG, palette without colours": (write_png((1, 1), 8, 3, b"\0"), "damaged or unsupported PNG"),
    "JPEG, 12 bits": (JPEG.replace(b"\xff\xc0\0\x11\x08", b"\xff\xc0\0\x11\x0c"), "damaged or unsupported JPEG"),
    "TIFF, 24-bit grey": (write_tiff((1, 1), [24], 1, bytes(3), {}), "damaged or unsupported TIFF"),
    "BMP, unknown compression": (
        encode(RGB, "BMP")[:30] + b"\x63" + encode(RGB, "BMP")[31:],
        r"damaged or unsupported BMP: Unsupported BMP compression \(99\)",
    ),
    "PPM, with too much to say about it": (
        b"P3 1 1 255\n" + b"\xff" * 12 + b" ",
        r"damaged or unsupported PPM: b'Token too long found in data: \.\.\.",
    ),
}


def assert_sound(error: BadImageError) -> None:
    assert error.reason.isprintable()
    assert 0 < len(error.reason) <= 100
    assert not re.search(r"object at 0x", str(error))


@pytest.mark.parametrize(("content", "expected", "tolerance"), GOOD.values(), ids=GOOD.keys())
def test_picture_is_seen_as_it_is_meant(content: bytes, expected: NDArray[np.uint8], tolerance: int) -> None:
    decoded = decode_image(content, "a")
    assert decoded.mode == "RGB"
    pixels = np.asarray(decoded)
    assert pixels.dtype == np.uint8
    assert pixels.shape == expected.shape
    assert np.abs(pixels.astype(int) - expected).max() <= tolerance


@pytest.mark.parametrize(("content", "reason"), BAD.values(), ids=BAD.keys())
def test_what_is_no_picture_is_refused_with_a_reason(content: bytes, reason: str) -> None:
    with pytest.raises(BadImageError) as caught:
        decode_image(content, "cats/a b.jpg")
    assert re.fullmatch(reason, caught.value.reason)
    assert caught.value.name == "cats/a b.jpg"
    assert_sound(caught.value)


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "JPEG2000", "AVIF"])
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_truncated_file_is_refused(image_format: str, share: float) -> None:
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 256, (40, 30, 3)).astype(np.uint8))
    content = encode(noise, image_format)
    with pytest.raises(BadImageError, match=f"damaged or unsupported {image_format}") as caught:
        decode_image(content[: int(share * len(content))], "a")
    assert_sound(caught.value)


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_picture_is_turned_upright(image_format: str, orientation: int) -> None:
    # Where a camera that is held so leaves the corners. Source: EXIF 2.32, tag 274.
    stored = {
        1: PIXELS,
        2: PIXELS[:, ::-1],
        3: PIXELS[::-1, ::-1],
        4: PIXELS[::-1],
        5: PIXELS.transpose(1, 0, 2),
        6: np.rot90(PIXELS, 1),
        7: PIXELS[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(PIXELS, -1),
    }[orientation]
    content = encode(Image.fromarray(stored), image_format, exif=turn(orientation), **EXACT.get(image_format, {}))
    decoded = np.asarray(decode_image(content, "a"))
    assert decoded.shape == PIXELS.shape
    assert np.abs(decoded.astype(int) - PIXELS).max() <= 4


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP", "AVIF"])
def test_damaged_exif_says_nothing_against_the_pixels(image_format: str) -> None:
    whole = encode(RGB, image_format, exif=turn(1))
    assert decode_image(damage_exif(whole), "a").tobytes() == decode_image(whole, "a").tobytes()


def test_damaged_tag_of_no_importance_is_skipped() -> None:
    whole = encode(RGB, "TIFF", exif=turn(6))
    # The name of the camera is said to have 2 GB.
    content = whole.replace(struct.pack("<HHI", 271, 2, 9), struct.pack("<HHI", 271, 2, 2**31))
    assert content != whole
    assert decode_image(content, "a").tobytes() == decode_image(whole, "a").tobytes()


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_orientation_that_means_nothing_is_ignored(orientation: int) -> None:
    assert decode_image(encode(RGB, "PNG", exif=turn(orientation)), "a").tobytes() == RGB.tobytes()


def test_upright_rgb_is_not_copied() -> None:
    # A copy would be a plain image.
    assert isinstance(decode_image(encode(RGB, "JPEG", exif=turn(1)), "a"), JpegImageFile)


def mutate(content: bytes, rng: np.random.Generator) -> bytes:
    damaged = bytearray(content)
    where = int(rng.integers(len(content)))
    match rng.integers(4):
        case 0:
            del damaged[where:]
        case 1:
            damaged[where:where] = rng.bytes(int(rng.integers(1, 9)))
        case 2:
            for bit in rng.integers(8 * len(content), size=rng.integers(1, 5)):
                damaged[bit // 8] ^= 1 << bit % 8
        case _:
            # The headers, and among them counts and offsets.
            damaged[where % 200 : where % 200 + 4] = rng.choice([b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff"])
    return bytes(damaged)


@pytest.fixture(scope="module")
def mutants() -> list[bytes]:
    """500 damaged files, some of which can still be decoded."""
    rng = np.random.default_rng(2)
    exif = turn(6)
    originals = [
        encode(RGB, "JPEG", exif=exif),
        encode(RGB.convert("CMYK"), "JPEG", progressive=True),
        MPO,
        encode(RGB, "PNG", exif=exif),
        encode(palette(COLOURS), "PNG", transparency=b"\0\x80"),
        encode(RGB, "GIF", **FRAMES),
        encode(RGB, "WEBP", exif=exif),
        encode(RGB, "WEBP", **EXACT["WEBP"]),
        encode(RGB, "TIFF", exif=exif),
        encode(RGB, "TIFF", compression="tiff_lzw"),
        encode(Image.fromarray(FLOATS), "TIFF"),
        encode(RGB, "BMP"),
        encode(palette(COLOURS), "BMP"),
    ]
    return [mutate(originals[number % len(originals)], rng) for number in range(500)]


def attempt(content: bytes) -> tuple[tuple[int, int], bytes] | str:
    """Size and pixels, or the reason why there are none."""
    try:
        decoded = decode_image(content, "a")
    except BadImageError as error:
        assert_sound(error)
        return error.reason
    assert decoded.mode == "RGB"
    return decoded.size, decoded.tobytes()


def test_damaged_file_gives_a_picture_or_a_reason_and_the_same_in_threads(mutants: list[bytes]) -> None:
    results = [attempt(content) for content in mutants]
    assert 100 < sum(isinstance(result, str) for result in results) < 400
    assert list(map_on_cores(attempt, mutants)) == results


def test_first_file_of_a_process_may_be_damaged() -> None:
    # By then Pillow has loaded few of its plugins by itself.
    code = """
import sys
from fusionseq.decoding import decode_image
from fusionseq.errors import BadImageError
try:
    decode_image(sys.stdin.buffer.read(), "a")
except BadImageError as error:
    print(error.reason)
"""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent.parent / "src")}
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, input=JPEG[:-20], env=environment, check=True, stdout=subprocess.PIPE)
    assert done.stdout.startswith(b"damaged or unsupported JPEG: ")


@pytest.mark.parametrize("action", ["error", "always"])
def test_no_warning_is_heard_whatever_the_filters(mutants: list[bytes], action: Any) -> None:
    contents = [content for content, _, _ in GOOD.values()] + [content for content, _ in BAD.values()] + mutants
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter(action)
        results = list(map_on_cores(attempt, contents))
    assert heard == []
    assert results == [attempt(content) for content in contents]


@pytest.mark.parametrize("content", [content for content, _, _ in GOOD.values()], ids=GOOD.keys())
def test_same_bytes_give_the_same_pixels(content: bytes) -> None:
    assert decode_image(content, "a").tobytes() == decode_image(bytes(bytearray(content)), "b").tobytes()
