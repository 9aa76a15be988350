"""Where one sign ends and the next begins: spans in files, found in attention, and scored."""
