"""One image, from the bytes of its file to pixels, the same way every time.

Source: the source paper, Section 5.
"""

from io import BytesIO

from PIL import Image, UnidentifiedImageError

from fusionseq.errors import BadImageError


def decode_image(content: bytes, name: str) -> Image.Image:
    """Decode one image as it is meant to be seen.

    Parameters
    ----------
    content
        Bytes of an image in any format that Pillow reads.
    name
        What to call the image in a message.

    Returns
    -------
    Image.Image
        Mode RGB.

    Raises
    ------
    BadImageError
        The bytes are no image, or a broken one.
    """
    try:
        with Image.open(BytesIO(content)) as image:
            # The mode may change when the pixels are read.
            image.load()
            # `convert` copies what is RGB already.
            return image if image.mode == "RGB" else image.convert("RGB")
    # What Pillow's plugins raise on damaged files.
    except (OSError, SyntaxError, ValueError, RuntimeError, Image.DecompressionBombError) as error:
        # Pillow would name the buffer that it was given.
        reason = "unknown format" if isinstance(error, UnidentifiedImageError) else str(error)
        raise BadImageError(name, reason) from error
