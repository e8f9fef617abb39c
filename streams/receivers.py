"""Can the receivers be told? Asked when rules are loaded: a wrong address is found before it matters."""

import asyncio

from projections.parameters import Marketing
from projections.triggers.files import BadTriggers, receivers
from projections.triggers.rules import Action
from streams.endpoints import Unreachable, check_reachable
from streams.settings import Settings
from streams.webhooks import NoSecret, secrets_of


async def check_receivers(marketing: Marketing, settings: Settings) -> None:
    """Check that each webhook may be called, that something listens there, and that its secret is known.

    On Kafka secrets are known to `headwater deliver` alone, which tells of one that is missing. Raises
    BadTriggers, which names the line.
    """

    async def check(line: int, action: Action) -> None:
        try:
            await check_reachable(action.webhook, embedded=not settings.distributed)
            if not settings.distributed:
                secrets_of(action.secret, settings.data_dir)
        except (Unreachable, NoSecret) as error:
            raise BadTriggers(f"triggers.toml:{line}: {error}") from error

    await asyncio.gather(*(check(*each) for each in receivers(marketing.triggers)))
