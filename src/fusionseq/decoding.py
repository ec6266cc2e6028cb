"""One image, from the bytes of its file to pixels, the same way every time.

Source: the source paper, Section 5.
"""

from contextlib import suppress
from io import BytesIO
from textwrap import shorten

import numpy as np
from PIL import (
    ExifTags,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
)

from fusionseq.errors import BadImageError

# The raster formats that pictures come in. Each has a signature, so that nothing else passes for it, and Pillow's Linux
# wheels decode each by themselves, so that every machine decodes the same ones. MPO is JPEG to Pillow. Left out is what
# runs another program (EPS), needs code that some machines have (FPX, WMF, HDF5), has no signature (TGA, DIB), or holds
# no photograph (ICO, CUR).
_FORMATS = ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "JPEG2000", "AVIF")
# Now, in one thread: otherwise Pillow would look for the rarer ones in whichever thread is first to need them.
Image.init()

# 0.27 GB of RGB. Pillow's own limit: above it, Pillow warns, and above twice of it, it refuses.
_MAX_PIXELS = 89_478_485

_MAX_REASON_LENGTH = 100

# What turns or mirrors the stored pixels upright. Source: EXIF 2.32, tag 274.
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class _Silence:
    """In the place of the module `warnings`, for what Pillow says of metadata."""

    @staticmethod
    def warn(*_words: object) -> None:
        """Say nothing."""


# Pillow warns of what does not change the pixels, or of what is refused here. Filters could not keep it quiet: they
# belong to the process, not to a thread, and `catch_warnings`, in whichever thread, would put them back in the middle
# of a decoding; where warnings are errors, the same file would then be good in one run and bad in the next.
for _module in (Image, JpegImagePlugin, PngImagePlugin, TiffImagePlugin):
    vars(_module)["warnings"] = _Silence


def decode_image(content: bytes, name: str) -> Image.Image:
    """Decode one image as it is meant to be seen: upright, its first frame or page, transparency on white.

    Grey levels of 16 bits keep their high byte, as Pillow's 16-bit colours do, so that white stays white. Signed and
    32-bit integers and floats declare no white: their lowest level becomes black and their highest white, a single
    level black; infinity counts as the highest or lowest finite level, what is no number as the lowest. Colour profiles
    (ICC) are ignored.

    Parameters
    ----------
    content
        Bytes of a JPEG, MPO, PNG, GIF, BMP, TIFF, WebP, PBM, PGM, PPM, PFM, JPEG 2000 or AVIF file.
    name
        What to call the image in a message.

    Returns
    -------
    Image.Image
        Mode RGB.

    Raises
    ------
    BadImageError
        The bytes are no image, a broken one, or one of too many pixels.
    """
    if not content:
        raise BadImageError(name, "empty file")
    try:
        return _decode(content)
    # Pillow's plugins parse in Python what anybody may have written: besides their own OSError, SyntaxError and
    # ValueError, damaged files make them raise struct.error, KeyError, AssertionError, MemoryError for absurd sizes,
    # and whatever the next release brings. No list of these would be complete; nothing but decoding runs in here.
    except Exception as error:
        raise BadImageError(name, _explain(error, content)) from error


def _decode(content: bytes) -> Image.Image:
    with _open(content) as image:
        if image.width * image.height > _MAX_PIXELS:
            raise Image.DecompressionBombError
        # Mode, size and, in PNG, EXIF may change when the pixels are read.
        image.load()
        orientation = None
        # Damaged EXIF says nothing against the pixels.
        with suppress(Exception):
            # TIFF has none left: Pillow turns its pixels as it reads them.
            orientation = image.getexif().get(ExifTags.Base.Orientation)
        decoded = _convert(image)
        return decoded.transpose(_UPRIGHT[orientation]) if orientation in _UPRIGHT else decoded


def _open(content: bytes) -> ImageFile.ImageFile:
    try:
        return Image.open(BytesIO(content), formats=_FORMATS)
    except Exception:
        # Pillow reads the EXIF of JPEG and AVIF as it opens them, and stumbles over some that is damaged. By another
        # name it is skipped.
        return Image.open(BytesIO(content.replace(b"Exif", b"exif")), formats=_FORMATS)


def _convert(image: ImageFile.ImageFile) -> Image.Image:
    """Convert to RGB."""
    if image.mode.startswith(("I", "F")):
        return _reduce_levels(image).convert("RGB")
    if image.has_transparency_data:
        # Pillow converts grey that is multiplied by its alpha to nothing but grey and alpha.
        opaque_or_not = (image.convert("LA") if image.mode == "La" else image).convert("RGBA")
        canvas = Image.new("RGB", image.size, "white")
        canvas.paste(opaque_or_not, mask=opaque_or_not)
        return canvas
    # `convert` copies what is RGB already.
    return image if image.mode == "RGB" else image.convert("RGB")


def _reduce_levels(image: ImageFile.ImageFile) -> Image.Image:
    """Reduce grey levels of more than eight bits to eight."""
    levels = np.asarray(image)
    tags = image.tag_v2 if isinstance(image, TiffImagePlugin.TiffImageFile) else {}
    if image.mode.startswith("I;16"):
        # TIFF has 12 bits, too.
        grey = levels >> (tags.get(TiffImagePlugin.BITSPERSAMPLE, (16,))[0] - 8)
    elif image.mode == "I" and image.format == "PPM":
        # Whatever white the file declares, Pillow brings it to 65535.
        grey = levels >> 8
    else:
        finite = levels[np.isfinite(levels)]
        low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
        shifted = np.nan_to_num(levels, nan=low, posinf=high, neginf=low).astype(np.float64) - low
        grey = np.rint(shifted * (255 / (high - low)) if high > low else shifted)
    # Pillow turns white that is zero round in eight bits alone.
    if tags.get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION) == 0:
        grey = 255 - grey
    grey = grey.astype(np.uint8)
    # PNG can declare one level transparent.
    grey[levels == image.info.get("transparency", np.nan)] = 255
    return Image.fromarray(grey)


def _explain(error: Exception, content: bytes) -> str:
    if isinstance(error, Image.DecompressionBombError):
        return f"decompression bomb: more than {_MAX_PIXELS} pixels"
    signed = [one for one in _FORMATS if (accepts := Image.OPEN[one][1]) and accepts(content[:16])]
    if not signed:
        return "unknown format"
    reason = f"damaged or unsupported {signed[0]}"
    # The message of the first names a buffer in memory; those of others tell of Pillow's code rather than of the file.
    if isinstance(error, UnidentifiedImageError) or not isinstance(error, (OSError, SyntaxError, ValueError)):
        return reason
    return shorten(f"{reason}: {error}", _MAX_REASON_LENGTH, placeholder=" ...")
