"""Against the peers: the same work done by Headwater and by each peer, in one run."""
