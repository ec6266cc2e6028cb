"""Write the page that `dvc plots show` fills, its scripts in it: `python -m fusionseq.plots_page FILE`.

DVC's own page loads Vega from a content network, and is blank without one. DVC is told to use this one by
`dvc config --local plots.html_template PATH`, which is relative to the folder .dvc.
"""

import argparse
from pathlib import Path

from fusionseq.artifacts import write_text
from fusionseq.console import logger, run_checked
from fusionseq.errors import PipelineError
from fusionseq.page.rendering import guard_script, make_library

# DVC puts what it has where the names in braces stand. The second script leaves out the link that would send a plot to
# an editor on the net.
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
{refresh_tag}
<title>DVC plots</title>
<link rel="icon" href="data:,">
<style>
body { margin: 0; padding: 1rem 2rem 2rem; font: 1rem/1.5 system-ui, sans-serif; color: #1b1d21; background: #ffffff; }
h1 { font-size: 1.25rem; }
main { display: flex; flex-wrap: wrap; gap: 2rem; align-items: flex-start; }
main > * { max-width: 100%; overflow-x: auto; }
table { border-collapse: collapse; }
th, td { padding: 0.3rem 0.8rem; border-top: 1px solid #e2dfd9; text-align: left; }
</style>
<script>LIBRARY</script>
<script>
const embed = window.vegaEmbed;
window.vegaEmbed = (element, spec) => embed(element, spec, { actions: { editor: false } });
</script>
</head>
<body>
<h1>DVC plots</h1>
<main>
{plot_divs}
</main>
</body>
</html>
"""


def build_plots_page(library: str) -> str:
    """Build the page around a script that defines `window.vegaEmbed`.

    Raises
    ------
    ValueError
        DVC would replace a part of the script.
    """
    for name in ("{scripts}", "{plot_divs}", "{refresh_tag}"):
        if name in library:
            raise ValueError(f"the script must not hold {name}.")
    return _PAGE.replace("LIBRARY", guard_script(library))


def write_plots_page(path: Path) -> None:
    """Write the page to a file.

    Raises
    ------
    PipelineError
        It cannot be written.
    """
    page = build_plots_page(make_library())
    try:
        write_text(path, page)
    except OSError as error:
        raise PipelineError(
            f"{path} cannot be written: {error.strerror}. Make room, mend the permissions, or name another file."
        ) from error
    logger.info("plots_page: %s", path)


def main() -> None:
    """Write the page to the file that the command line names."""
    parser = argparse.ArgumentParser(
        prog="python -m fusionseq.plots_page", description="Write the page that `dvc plots show` fills offline."
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="such as .dvc/tmp/plots.html")
    arguments = parser.parse_args()
    run_checked(lambda: write_plots_page(arguments.file))


if __name__ == "__main__":
    main()
