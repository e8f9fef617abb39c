CREATE TABLE IF NOT EXISTS archived (
    topic LowCardinality(String) COMMENT 'Topic of the log.',
    partition Int32 COMMENT 'Partition of the topic.',
    upto Int64 COMMENT 'Every record before this offset is in its table, or was refused.',
    archived_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When that was so.'
)
ENGINE = ReplacingMergeTree(upto) ORDER BY (topic, partition)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'How far each partition of the log is archived.'
