"""Which topics are there, and which partition does a key belong to?"""

from aiokafka.partitioner import murmur2

from streams.log import TopicSpec

EVENTS = "headwater.events"
CUSTOMERS = "headwater.customers"
TRANSITIONS = "headwater.transitions"
FAILED = "headwater.failed"
LOADS = "headwater.loads"
EXAMPLES = "headwater.examples"
MODELS = "headwater.models"
DECISIONS = "headwater.decisions"
MESSAGES = "headwater.messages"  # what triggers tell whoever reads this topic
CLOCK = "headwater.clock"  # what the holder of the clock is asked; its partition is assigned to the holder
ONE_PARTITION = frozenset({LOADS, EXAMPLES, MODELS, CLOCK})


def topic_specs(partitions: int) -> list[TopicSpec]:
    """Every topic of the engine. Keyed topics share one partition count, which never changes."""
    return [
        TopicSpec(EVENTS, partitions),
        TopicSpec(CUSTOMERS, partitions, compacted=True),
        TopicSpec(TRANSITIONS, partitions),
        TopicSpec(DECISIONS, partitions),
        TopicSpec(MESSAGES, partitions),
        TopicSpec(FAILED, partitions),
        TopicSpec(LOADS, 1, compacted=True, compact_after=500),
        TopicSpec(EXAMPLES, 1),
        TopicSpec(MODELS, 1),
        TopicSpec(CLOCK, 1, compacted=True),
    ]


def partition_for(key: bytes, partitions: int) -> int:
    """The partition of `key`, as Kafka's default partitioner has it (murmur2, sign bit dropped)."""
    return int(murmur2(key) & 0x7FFFFFFF) % partitions
