"""What uv's cache looks like: buckets by release, key digests, trailers, and every kind of entry with its history."""
