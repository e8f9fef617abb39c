"""Which schema ids are in force, and was this log begun with them? A registry's ids mean nothing in another.

The engine's first record of each partition tells: it is one of ours, so it can be read by the ids that it was
written with. Bytes that are one of our events under an id that says otherwise are proof of other ids.
"""

from schemas import codec, external
from streams.log import Log, Record
from streams.settings import Settings
from streams.topics import EVENTS

LOOKED_AT = 100  # records of a partition, until one can be read: what comes first may be no event at all


class OtherIds(Exception):
    """The log was begun with the ids of another registry; the message says how to go on."""


def adopt(settings: Settings) -> None:
    """Use the ids of the external registry, if one is set; at the start of a process, before any event.

    Blocks. Raises schemas.registry.RegistryRefused.
    """
    if settings.registry_url is not None:
        external.adopt(settings.registry_url.get_secret_value())


async def check(log: Log) -> None:
    """Raises OtherIds, before anything is read by ids that are not the log's; RegistryUnavailable."""
    for partition, start in enumerate(await log.start_offsets(EVENTS)):
        for record in (await log.read(EVENTS, partition, start, LOOKED_AT)).records:
            if _proves_ours(record, partition):
                break


def _proves_ours(record: Record, partition: int) -> bool:
    """Whether the record can be read; raises OtherIds where it could be by other ids only."""
    data = record.value or b""
    try:
        codec.decode(data)
    except codec.Undecodable as undecodable:
        if names := codec.could_be(data):
            raise OtherIds(
                f"The log was begun with the schema ids of another registry ({EVENTS}/{partition} at offset "
                f"{record.offset} is a {' or '.join(names)} under id {codec.schema_id(data)}): set "
                "HEADWATER_REGISTRY_URL to the registry that it was begun with, unset it if that was the "
                "built-in one, or begin another log."
            ) from undecodable
        return False
    return True
