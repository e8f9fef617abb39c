"""How do I run a worker? As many as the log has partitions can share them."""

from pathlib import Path

from cli.options import DATA_DIR, DataDir
from cli.run import run_until_stopped


def worker(data_dir: DataDir = DATA_DIR) -> None:
    """Fold the partitions that Kafka assigns to this worker, until Ctrl-C; needs HEADWATER_LOG_URL=kafka://….

    Each worker has a data directory of its own, which can be lost: it is recovered from the changelog.
    """
    run_until_stopped(_work(data_dir))


async def _work(data_dir: Path) -> None:
    from cli import directory
    from cli.compose import CANNOT_START, settings_of
    from cli.errors import Refused
    from streams.worker import working

    settings = settings_of(data_dir)
    with directory.held(data_dir):
        try:
            async with working(settings) as folding:
                raise await folding.failed
        except CANNOT_START as error:
            raise Refused(str(error)) from error
