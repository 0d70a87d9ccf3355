"""One file per shape that is removed, each exporting RULE with the examples it removes and keeps."""
