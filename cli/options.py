"""Which options do the commands share?"""

from pathlib import Path
from typing import Annotated

import typer

DataDir = Annotated[
    Path,
    typer.Option(
        "--data-dir",
        envvar="HEADWATER_DATA_DIR",
        help="The directory that holds the engine's data.",
        file_okay=False,
    ),
]
Port = Annotated[
    int, typer.Option("--port", envvar="HEADWATER_PORT", help="Port to serve on.", min=0, max=65535)
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")]
DATA_DIR = Path(".headwater")
PORT = 8000
