"""Keypoints of a corpus: found clip by clip, by many processes, and written as shards."""
