"""Against the peers on Kafka: the same events, folded by Headwater and by each peer on one broker."""
