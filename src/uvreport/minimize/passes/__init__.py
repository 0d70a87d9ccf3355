"""The ways of making a bundle smaller, one file each, that exports `PASS`."""
