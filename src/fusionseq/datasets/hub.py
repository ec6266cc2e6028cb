"""The Hugging Face hub: asks for commits and files, and tells in one line what went wrong.

The address is that of the environment variable HF_ENDPOINT, if it is set, and the token that of HF_TOKEN; a token that
a person has stored in the home folder is left alone.

Source: https://huggingface.co/docs/hub/api, spoken by the client library huggingface_hub.
"""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from fusionseq.datasets.retrying import retry
from fusionseq.errors import PipelineError

if TYPE_CHECKING:
    from huggingface_hub import HfApi

_PUBLIC_ENDPOINT = "https://huggingface.co"
# Seconds without an answer.
_TIMEOUT = 30.0


@dataclass(frozen=True)
class HubFile:
    """One file of a dataset repository as the hub states it.

    Attributes
    ----------
    path
        Within the repository.
    size
        Bytes.
    sha256
        Of the content; None for a small file, which lies in Git itself.
    blob_id
        Git's SHA-1 of the file or, where there is a `sha256`, of what Git holds in its place.
    """

    path: str
    size: int
    sha256: str | None
    blob_id: str


class Hub:
    """What the environment says of the hub, and requests to it.

    Requests raise `PipelineError` if there is no such dataset, revision or file, if access is refused, or if the hub
    cannot be reached, if need be after several attempts.

    Parameters
    ----------
    pause
        Seconds before a request that failed is made again; doubled each time.
    """

    def __init__(self, pause: float) -> None:
        self._endpoint = (os.environ.get("HF_ENDPOINT") or _PUBLIC_ENDPOINT).rstrip("/")
        self._token = os.environ.get("HF_TOKEN", "").strip()
        self._pause = pause

    def resolve_revision(self, name: str, revision: str) -> str:
        """Ask for the full commit hash of a branch, a tag or a commit of a dataset."""
        with self._explaining(name, revision):
            api = self._connect()
            return str(retry(lambda: api.dataset_info(name, revision=revision, timeout=_TIMEOUT), self._pause).sha)

    def list_files(self, name: str, revision: str) -> list[HubFile]:
        """List the files of a dataset in the order of their paths."""
        with self._explaining(name, revision):
            tree = self._connect().list_repo_tree(name, recursive=True, revision=revision, repo_type="dataset")
            files = [
                HubFile(entry.path, entry.size, entry.lfs.sha256 if entry.lfs else None, entry.blob_id)
                for entry in tree
                if not hasattr(entry, "tree_id")
            ]
        return sorted(files, key=lambda file: file.path)

    def download(self, name: str, revision: str, file: HubFile, target: Path) -> None:
        """Write a file, or what `target` lacks of it."""
        from huggingface_hub import hf_hub_url
        from huggingface_hub.file_download import http_get
        from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

        address = hf_hub_url(name, file.path, repo_type="dataset", revision=revision, endpoint=self._endpoint)

        # `hf_hub_download` would begin anew after an interruption: it throws away what it has.
        def resume() -> None:
            headers = build_hf_headers(token=self._token or False, headers={"Accept-Encoding": "identity"})
            with target.open("ab") as content:
                if content.tell() > file.size:
                    content.truncate(0)
                http_get(
                    address,
                    content,
                    resume_size=content.tell(),
                    headers=headers,
                    expected_size=file.size,
                    displayed_filename=file.path,
                )

        with self._explaining(name, revision):
            self._connect()
            retry(resume, self._pause)

    def _connect(self) -> "HfApi":
        from huggingface_hub import HfApi, constants

        # Set here, since it is read from the environment by whoever imports the library first.
        constants.HF_HUB_DISABLE_TELEMETRY = True
        # It would log the signed addresses of files.
        logging.getLogger("httpx2").setLevel(logging.WARNING)
        return HfApi(endpoint=self._endpoint, token=self._token or False)

    @contextmanager
    def _explaining(self, name: str, revision: str) -> Iterator[None]:
        """Turn what the client library raises into one line that holds neither token nor address."""
        from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled
        from huggingface_hub.utils import httpx  # type: ignore[attr-defined]

        host = urlsplit(self._endpoint).hostname or self._endpoint
        try:
            yield
        except HfHubHTTPError as error:
            raise PipelineError(self._describe(error.response.status_code, host, name, revision)) from error
        except OfflineModeIsEnabled as error:
            raise PipelineError(
                f"the dataset {name} at revision {revision} is not on this disk in full, and HF_HUB_OFFLINE forbids to "
                "fetch it; unset it."
            ) from error
        except httpx.TransportError as error:
            raise PipelineError(
                f"{host} cannot be reached for the dataset {name} ({type(error).__name__}); check the connection, the "
                "proxy and HF_ENDPOINT, then run the command again: it goes on where it stopped."
            ) from error
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError) as error:
            raise PipelineError(
                f"{host} does not answer like a hub when asked for the dataset {name} ({type(error).__name__}); check "
                "data.name in params.yaml, and HF_ENDPOINT."
            ) from error
        except OSError as error:
            raise PipelineError(
                f"the dataset {name} cannot be written to the disk ({error.strerror or error}); make room or change "
                "the permissions."
            ) from error

    def _describe(self, status: int, host: str, name: str, revision: str) -> str:
        if status in {401, 403}:
            token = "the token in HF_TOKEN gives no access" if self._token else "no token is given"
            return (
                f"{host} refuses access to the dataset {name} (status {status}): it is gated, private or does not "
                f"exist, and {token}. Check data.name in params.yaml, accept the dataset's conditions on its page, and "
                "set the environment variable HF_TOKEN."
            )
        if status == 404:
            return (
                f"{host} has no dataset {name} at revision {revision}; check data.name and data.revision in "
                "params.yaml."
            )
        return f"{host} answers with status {status} when asked for the dataset {name}; try again later."
