"""How do I run the engine?"""

import asyncio
from pathlib import Path

from cli.options import DATA_DIR, PORT, DataDir, Port
from cli.run import run_until_stopped


def serve(data_dir: DataDir = DATA_DIR, port: Port = PORT) -> None:
    """Run the engine and serve its API and dashboard until Ctrl-C.

    HEADWATER_* variables set it up, and DATA_DIR/lifecycle.toml has the lifecycle rules: README, Settings.
    """
    run_until_stopped(_serve(data_dir, port))


async def _serve(data_dir: Path, port: int) -> None:
    from cli.compose import running, settings_of  # the whole engine: not for headwater --help
    from cli.serving import bind, serving

    with bind(settings_of(data_dir).host, port) as listening:
        async with (
            running(data_dir, learns=True, delivers=True) as parts,
            serving(parts.api, parts.settings, listening, parts.stop),
        ):
            await asyncio.Event().wait()
