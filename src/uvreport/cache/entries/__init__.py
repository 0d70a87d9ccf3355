"""One file per kind of entry; each exports ENTRY. Adding a kind is adding a file."""
