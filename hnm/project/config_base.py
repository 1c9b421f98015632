"""What all configuration in YAML shares: names, and the refusal of unknown keys."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

NAME = r"^[A-Za-z_][A-Za-z0-9_]*$"
TEST_NAME = r"^\w[\w ,.:()-]*$"
Name = Annotated[str, Field(pattern=NAME, max_length=100)]


class Config(BaseModel):
    """Base of everything in YAML: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)
