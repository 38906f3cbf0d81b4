"""Files of other programs: exports, and what is read from anywhere."""
