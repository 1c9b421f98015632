"""Upload an export to the Hugging Face hub."""

from pathlib import Path

from hnm.errors import HnmError

TIMEOUT_SECONDS = 10.0


def push(folder: Path, repository: str) -> None:
    """Make `folder` the content of a dataset repository, which is made (private) when there is none.

    Who one is, and where the hub stands, is for `huggingface_hub` to know (HF_TOKEN, HF_ENDPOINT). Raises HnmError when
    the hub refuses or cannot be reached; the folder stays.
    """
    from huggingface_hub import HfApi

    # The base error of the HTTP library that the hub's client happens to use; imported there, not exported.
    from huggingface_hub.errors import HTTPError, RepositoryNotFoundError  # type: ignore[attr-defined]  # not in __all__

    api = HfApi()
    try:
        try:  # one request with a time limit tells whether the hub answers; the others would retry for minutes
            api.repo_info(repository, repo_type="dataset", timeout=TIMEOUT_SECONDS)
        except RepositoryNotFoundError:
            api.create_repo(repository, repo_type="dataset", private=True)
        api.upload_folder(folder_path=folder, repo_id=repository, repo_type="dataset")
    except (OSError, ValueError, HTTPError) as error:
        raise HnmError(
            f"cannot push to {repository}",
            why=str(error).strip().partition("\n")[0],
            hint=f"{folder} is whole: once `hf auth login` and the network are right, run the command with --force",
        ) from None
